"""A server is never deaf and alive: whatever fails in its threads, it answers a C-ECHO afterwards, or has failed and said so."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import dimse
from dimse import aio
from dimse.serving import listening, loop
from dimse.serving.reception import Reception
from dimse.settings import Limits, Timeouts
from dimse.transport.poller import new_poller
from tests.drivers import LOOPBACK, Face, errors, on_both_faces, open_descriptors, running, serving, tls_contexts
from tests.hostile_scu import HostileSCU, associate_rq

LONG = 30.0  # seconds: nothing here waits that long
SOURCE = Path(dimse.__file__).parent
FAULTS = (ValueError("it is wrong"), MemoryError(), OSError(5, "Input/output error"))


def answers(port: int, security: Any = None) -> bool:
    """Return True if C-ECHO is answered; False if the connection is closed or refused, which a working server does not do twice."""
    try:
        with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], tls=security) as association:
            return association.echo() == 0
    except dimse.DimseError:
        return False


def reset(port: int, said: bytes = b"") -> None:
    """Connect, say something, and reset the connection."""
    with socket.create_connection((LOOPBACK, port), timeout=LONG) as connected:
        connected.sendall(said)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# --- what a peer can do ---


@on_both_faces
def test_connections_that_are_reset_at_once_are_turned_away_quietly(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(face, networks=["127.0.0.0/8"]) as port:
        for _ in range(200):
            reset(port)
        assert answers(port)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@on_both_faces
def test_a_request_that_is_complete_is_decided_on_though_no_more_may_be_held(face: Face) -> None:
    """The oldest brings its whole request, and bytes behind it that would be too many."""
    half = b"\1\0" + (1000).to_bytes(4, "big") + bytes(94)
    with serving(face, limits=Limits(half_open_bytes=200)) as port, ExitStack() as stack:
        oldest, *others = (stack.enter_context(HostileSCU(port)) for _ in range(3))
        for other in others:
            other.send(half)
        assert answers(port)
        oldest.send(associate_rq() + b"\7\0\0\0\0\4\0\0\0")
        assert oldest.read() == "A-ASSOCIATE-AC"
        assert answers(port)


@on_both_faces
def test_the_oldest_may_be_the_one_that_brings_too_much(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    half = b"\1\0" + (1000).to_bytes(4, "big") + bytes(300)
    with serving(face, limits=Limits(half_open_bytes=200)) as port:
        for _ in range(5):
            with HostileSCU(port) as greedy:
                greedy.send(half)
                assert greedy.read() == "closed"
        assert answers(port)
    assert errors(caplog) == []


@on_both_faces
def test_what_comes_behind_a_request_is_not_counted_for_ever(face: Face) -> None:
    """With 9 bytes of an A-ABORT each, 30 associations would have filled what all of them may hold."""
    with serving(face, limits=Limits(half_open_bytes=250)) as port:
        for _ in range(30):
            with HostileSCU(port) as scu:
                scu.send(associate_rq() + b"\7\0\0\0\0\4\0\0\0")
                assert scu.read() == "A-ASSOCIATE-AC"
        with HostileSCU(port) as slow:
            request = associate_rq()
            slow.send(request[:200])
            assert answers(port)
            slow.send(request[200:])
            assert slow.read() == "A-ASSOCIATE-AC"


# --- what fails in the server itself ---

# The file and line of a call, and what is called.
Site = tuple[str, int, str]


class Sabotage:
    """A profiler that sees every call of a server's threads, and raises an error in one of them.

    Entered, it sees the threads that are started from then on. A call is that of a function of any kind, as the profiler of Python
    sees it, from a line of dimse.

    Args:
        site: Where to raise; None to note the calls only.
        error: What.

    Attributes:
        seen: The calls, in order.
        raised: Has the error been raised?
    """

    THREADS = ("dimse-server", "aio.Server")

    def __init__(self, site: Site | None = None, error: Exception = FAULTS[0]) -> None:
        self.site, self.error = site, error
        self.seen: dict[Site, None] = {}
        self.raised = False
        self.armed = False

    def __enter__(self) -> Sabotage:
        threading.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        threading.setprofile(None)

    def _look(self, frame: FrameType, event: str, argument: Any) -> None:
        if not self.armed or event not in ("call", "c_call"):
            return
        caller = frame.f_back if event == "call" else frame
        if caller is None or not caller.f_code.co_filename.startswith(str(SOURCE)):
            return
        if not threading.current_thread().name.startswith(self.THREADS):
            return
        name = frame.f_code.co_name if event == "call" else argument.__name__
        if name in ("__exit__", "release", "call_soon"):
            # To release a lock does not fail. A future of asyncio that has its result must be able to tell of it.
            return
        site = str(Path(caller.f_code.co_filename).relative_to(SOURCE)), caller.f_lineno, name
        self.seen[site] = None
        if site == self.site and not self.raised:
            self.raised = True
            raise type(self.error)(*self.error.args)


IN_A_MOMENT = Timeouts(connect=2, acse=2, dimse=2, network=2)


def answers_soon(port: int, security: Any) -> bool:
    """Return True if one of three C-ECHOs is answered: the failure may be in the first."""
    for _ in range(3):
        with (
            suppress(dimse.DimseError),
            dimse.associate(
                LOOPBACK, port, contexts=[dimse.Verification], timeouts=IN_A_MOMENT, tls=security
            ) as association,
        ):
            if association.echo() == 0:
                return True
    return False


def visit(port: int, security: Any) -> None:
    """Have a server do all that it does: turn away, reject, expire, shake hands, serve one association and two, call handlers."""
    with suppress(OSError, dimse.DimseError), ExitStack() as stack:
        reset(port, b"\1\0")
        silent = stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=LONG))
        stranger = stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=LONG))
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.recv(100)
        options: dict[str, Any] = {"contexts": [dimse.Verification], "timeouts": IN_A_MOMENT, "tls": security}
        with suppress(dimse.AssociationRejected):
            dimse.associate(LOOPBACK, port, calling_ae_title="UNKNOWN", **options)
        with dimse.associate(LOOPBACK, port, **options) as one:
            one.echo()
            with dimse.associate(LOOPBACK, port, **options) as other:
                other.echo()
                one.echo()
        silent.settimeout(IN_A_MOMENT.connect)
        silent.recv(1)


@contextmanager
def sabotaged(face: Face, sabotage: Sabotage, secured: bool) -> Iterator[tuple[Reception, Any]]:
    """Run a server whose threads are profiled; yield it and the context of its clients."""
    contexts = tls_contexts() if secured else None

    def handler(_: dimse.EchoRequest) -> int:
        # Long enough for a thread of its own.
        threading.Event().wait(0.001)
        return 0

    options = {
        "timeouts": Timeouts(connect=0.05, acse=0.05),
        "calling_ae_titles": ["DIMSE"],
        "networks": ["127.0.0.0/8"],
        "tls": contexts.server if contexts else None,
    }
    with sabotage, running(face, dimse.Handlers(echo=handler), **options) as server:
        sabotage.armed = True
        yield server, contexts.client if contexts else None
        sabotage.armed = False


LOOPS = (
    *("aio.py", "transport/looped.py", "transport/poller.py"),
    *(f"serving/{name}.py" for name in ("listening", "loop", "reception", "server", "transport", "waiting_room")),
)
"""The places of the loops that serve every connection. Elsewhere a call is made for one association."""


def calls_of(face: Face, secured: bool) -> list[Site]:
    """Return every call that the threads of a server make while `visit` goes on."""
    sabotage = Sabotage()
    with sabotaged(face, sabotage, secured) as (server, security):
        visit(server.address[1], security)
        assert answers_soon(server.address[1], security)
    return list(sabotage.seen)


def has_failed(server: Reception) -> bool:
    """Return True if the server reports its failure, and listens no more a moment later."""
    if server.failed is None:
        return False
    give_up = time.monotonic() + LONG
    while _has_address(server):
        assert time.monotonic() < give_up, "it has failed, and listens"
    return True


def _has_address(server: Reception) -> bool:
    try:
        return bool(server.address)
    except RuntimeError:
        return False


def survives(face: Face, secured: bool, sabotage: Sabotage) -> bool:
    """Return True if a server in which a call fails answers a C-ECHO afterwards, or has reported its failure."""
    with sabotaged(face, sabotage, secured) as (server, security):
        port = server.address[1]
        visit(port, security)
        return answers_soon(port, security) or has_failed(server)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a server pause for a moment only after a failure."""
    for module in (aio, loop, listening):
        monkeypatch.setattr(module, "PAUSE_AFTER_FAILURE", 0.001)


# A call that closes a socket may be the one that fails.
unclosed = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def sabotage_everywhere(face: Face, secured: bool, sites: list[Site], errors: Sequence[Exception]) -> list[str]:
    """Have each call fail by each of some errors in a server of its own; return those after which a server is deaf and alive."""
    deaf = [
        f"{site}: {error!r}" for site in sites for error in errors if not survives(face, secured, Sabotage(site, error))
    ]
    print(f"{face}{' with TLS' if secured else ''}: {len(sites)} calls, {len(errors)} errors in each")
    return deaf


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.usefixtures("quick")
@unclosed
@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
@on_both_faces
def test_whatever_call_fails_the_server_answers_or_has_failed_loudly(face: Face, error: Exception) -> None:
    """A third of the calls of the loops for each kind of error; `make campaign` has them all."""
    sites = [site for site in calls_of(face, False) if site[0] in LOOPS]
    assert sabotage_everywhere(face, False, sites[FAULTS.index(error) :: len(FAULTS)], [error]) == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("quick")
@unclosed
@pytest.mark.parametrize("secured", [False, True], ids=["plain", "TLS"])
@on_both_faces
def test_whatever_call_fails_with_whatever_error(face: Face, secured: bool) -> None:
    assert sabotage_everywhere(face, secured, calls_of(face, secured), FAULTS) == []


# --- what fails again and again ---


def refuses(port: int) -> bool:
    """Return True if nothing listens on a port."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=LONG).close()
    except ConnectionRefusedError:
        return True
    return False


def kind_of_poller() -> type:
    poller = new_poller()
    poller.close()
    return type(poller)


def broken(*_: object) -> None:
    raise ValueError("it is broken")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("what", ["accept", "the loop"])
def test_a_blocking_server_that_cannot_go_on_says_so_and_ends(
    what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = threading.Event()
    threads, open_before = threading.active_count(), open_descriptors()
    server = dimse.Server((LOOPBACK, 0))
    server.when_failed = told.set
    server.start()
    assert not has_failed(server)
    port = server.address[1]
    # With one association alone no other connection is waited for.
    with (
        pytest.raises(dimse.AssociationError),
        dimse.associate(LOOPBACK, port, contexts=[dimse.Verification]) as association,
        pytest.raises(dimse.AssociationError),
        dimse.associate(LOOPBACK, port, contexts=[dimse.Verification]) as other,
    ):
        assert association.echo() == other.echo() == 0
        if what == "accept":
            monkeypatch.setattr(listening.Listening, "_take_some", broken)
        else:
            monkeypatch.setattr(kind_of_poller(), "wait", broken)
            # All threads leave their present wait.
            server.ask_for_heartbeat()
        with suppress(OSError):
            socket.create_connection((LOOPBACK, port), timeout=LONG).close()
        with pytest.raises(dimse.ServerFailed, match="ValueError: it is broken") as raised:
            server.serve_forever()
        assert raised.value is server.failed
        assert isinstance(raised.value.__cause__, ValueError)
        # The association has ended, and the one around it.
        other.echo()
    assert told.wait(LONG)
    assert refuses(port)
    assert has_failed(server)
    assert [line for line in errors(caplog) if "listens no more" in line] == [str(server.failed)]
    started = time.monotonic()
    server.shutdown()
    assert time.monotonic() - started < LONG / 10
    assert threading.active_count() == threads
    assert open_descriptors() == open_before
    monkeypatch.undo()
    with server:  # it may be tried again
        assert not has_failed(server)
        assert answers(server.address[1])


@pytest.mark.usefixtures("quick")
def test_a_server_on_a_loop_that_cannot_go_on_says_so_and_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with aio.Server((LOOPBACK, 0)) as server:
            port = server.address[1]
            association = await aio.associate(LOOPBACK, port, contexts=[dimse.Verification])
            assert await association.echo() == 0
            monkeypatch.setattr(aio, "accept", broken)
            with suppress(OSError):
                socket.create_connection((LOOPBACK, port), timeout=LONG).close()
            with pytest.raises(aio.ServerFailed, match="ValueError: it is broken") as raised:
                await server.serve_forever()
            assert raised.value is server.failed
            with pytest.raises(dimse.AssociationError):
                await association.echo()
            assert refuses(port)
            assert has_failed(server)

    open_before = open_descriptors()
    asyncio.run(scenario())
    assert open_descriptors() == open_before
    assert len([line for line in errors(caplog) if "listens no more" in line]) == 1


@pytest.mark.parametrize("number", [0, 1], ids=["the watchdog's", "the loop's"])
def test_a_server_that_gets_no_thread_says_so_and_leaves_nothing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def start_some(thread: threading.Thread) -> None:
        if len(started) >= number:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    open_before = open_descriptors()
    server = dimse.Server((LOOPBACK, 0))
    monkeypatch.setattr(threading.Thread, "start", start_some)
    with pytest.raises(dimse.ServerFailed, match="cannot start: can't start new thread"), server:
        pass
    monkeypatch.undo()
    server.shutdown()
    assert open_descriptors() == open_before
    with server:
        assert answers(server.address[1])


def test_an_observer_may_end_the_server_that_it_observes() -> None:
    ended = threading.Event()

    def observe(event: dimse.logs.security_events.SecurityEvent) -> None:
        if event.kind == "protocol":
            server.shutdown()
            ended.set()

    server = dimse.Server((LOOPBACK, 0), observe=observe)
    server.start()
    with HostileSCU(server.address[1]) as stranger:
        stranger.send(b"GET / HTTP/1.1\r\n\r\n")
        server.serve_forever()
        assert ended.wait(LONG)


@pytest.mark.usefixtures("brief_leaving")
def test_an_observer_that_never_returns_does_not_keep_the_server_from_ending(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def observe(_: object) -> None:
        hangs.set()
        go_on.wait(LONG)

    with dimse.Server((LOOPBACK, 0), observe=observe) as server, HostileSCU(server.address[1]) as stranger:
        stranger.send(b"GET / HTTP/1.1\r\n\r\n")
        assert hangs.wait(LONG)
        started = time.monotonic()
        server.shutdown()
        assert time.monotonic() - started < LONG / 2
        go_on.set()
    assert any("the listening thread is left behind" in line for line in errors(caplog))

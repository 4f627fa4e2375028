"""Handlers that take their time, or never return: they keep neither a server nor its process from ending."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio
from dimse.logs import ABOUT
from dimse.serving.reception import Reception
from tests.drivers import CT_IN_EXPLICIT_VR, LOOPBACK, Face, errors, make_instance, on_both_faces, running, serving

LONG = 30.0  # seconds: nothing here waits that long
SOON = 0.2  # seconds: what the server drains
AT_ONCE = 10.0  # seconds: far below LONG
LEFT = "1 association left behind, for the handler has not returned"


def associate(port: int, title: str = "DIMSE", **options: Any) -> dimse.Association:
    contexts: list[Any] = [dimse.Verification, CT_IN_EXPLICIT_VR]
    return dimse.associate(LOOPBACK, port, contexts=contexts, calling_ae_title=title, **options)


def shut_down(server: Reception, drain: float) -> None:
    """Shut a server of either face down, from another thread than its own."""
    if isinstance(server, aio.Server):
        asyncio.run_coroutine_threadsafe(server.shutdown(drain), server._loop).result(LONG)
    else:
        assert isinstance(server, dimse.Server)
        server.shutdown(drain)


class Hangs:
    """A handler that does not return before the test is over, or `go_on` is called."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self._over = threading.Event()

    def __call__(self, _: object) -> int:
        self.reached.release()
        self._over.wait(LONG)
        return 0

    async def asynchronous(self, _: object) -> int:
        self.reached.release()
        await asyncio.Event().wait()
        return 0

    async def stubborn(self, _: object) -> int:
        """Wait on, though cancelled."""
        self.reached.release()
        while not self._over.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return 0

    def go_on(self) -> None:
        self._over.set()


@pytest.fixture
def hangs() -> Iterator[Hangs]:
    handler = Hangs()
    yield handler
    handler.go_on()


@contextmanager
def asking(server: Reception, what: str, folder: Path) -> Iterator[Future[Any]]:
    """Have a peer ask a server for what its handler does not return from."""

    def ask() -> None:
        with (
            suppress(dimse.DimseError),
            associate(server.address[1], identity=dimse.UserIdentity(1, b"ME")) as association,
        ):
            if what == "echo":
                association.echo()
            else:
                association.store(make_instance(folder, pixels=1 << 20).path)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(ask)


WAYS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "echo": ("echo", lambda handler: {"handlers": dimse.Handlers(echo=handler)}),
    "store": ("store", lambda handler: {"handlers": dimse.Handlers(store=handler)}),
    "store_begin": (
        "store",
        lambda handler: {"handlers": dimse.Handlers(store_begin=handler, store=lambda request: 0)},
    ),
    "identify": ("echo", lambda handler: {"identify": handler}),
}


in_each_way = pytest.mark.parametrize(
    "way", [way if way == "echo" else pytest.param(way, marks=pytest.mark.thorough) for way in WAYS]
)


@pytest.mark.usefixtures("brief_leaving")
@on_both_faces
@in_each_way
def test_one_that_never_returns_is_left_behind_and_that_is_said(
    face: Face, way: str, hangs: Hangs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    what, options = WAYS[way]
    with running(face, **options(hangs)) as server, asking(server, what, tmp_path) as asked:
        assert hangs.reached.acquire(timeout=LONG)
        started = time.monotonic()
        shut_down(server, SOON)
        assert time.monotonic() - started < AT_ONCE
        # On an event loop the verification is cancelled with the association, and its thread goes on.
        assert [line for line in errors(caplog) if "left behind" in line] == (
            [] if (face, way) == ("asyncio", "identify") else [LEFT]
        )
        hangs.go_on()
        asked.result(LONG)


@on_both_faces
@in_each_way
def test_one_that_waits_on_a_loop_is_cancelled(
    face: Face, way: str, hangs: Hangs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    what, options = WAYS[way]
    with running(face, **options(hangs.asynchronous)) as server, asking(server, what, tmp_path) as asked:
        assert hangs.reached.acquire(timeout=LONG)
        started = time.monotonic()
        shut_down(server, SOON)
        assert time.monotonic() - started < AT_ONCE
        asked.result(LONG)
    assert not [line for line in errors(caplog) if "left behind" in line]


@pytest.mark.usefixtures("brief_leaving")
@on_both_faces
def test_one_that_does_not_want_to_be_cancelled_is_left_behind(
    face: Face, hangs: Hangs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    handlers = dimse.Handlers(echo=hangs.stubborn)
    with running(face, handlers) as server, asking(server, "echo", tmp_path) as asked:
        assert hangs.reached.acquire(timeout=LONG)
        shut_down(server, SOON)
        assert [line for line in errors(caplog) if "left behind" in line] == [LEFT]
        hangs.go_on()
        asked.result(LONG)


@on_both_faces
def test_many_that_never_return_leave_threads_for_the_others(face: Face, hangs: Hangs) -> None:
    """More than the pool of an event loop has threads."""

    def echo(request: dimse.EchoRequest) -> int:
        return hangs(request) if request.peer.ae_title == "HANGS" else 0

    many = 40
    with serving(face, dimse.Handlers(echo=echo)) as port, ThreadPoolExecutor(many) as pool:

        def ask() -> None:
            with suppress(dimse.DimseError), associate(port, "HANGS") as association:
                association.echo()

        asked = [pool.submit(ask) for _ in range(many)]
        for _ in asked:
            assert hangs.reached.acquire(timeout=LONG)
        with associate(port) as association:
            assert association.echo() == 0
        hangs.go_on()


PROGRAM = """
import asyncio, sys, threading
import dimse
from dimse import aio

def never(request):
    reached.set()
    threading.Event().wait()

reached = threading.Event()
face = sys.argv[1]
handlers = dimse.Handlers(echo=never)

def ask(port):
    try:
        with dimse.associate("127.0.0.1", port, contexts=[dimse.Verification]) as association:
            association.echo()
    except dimse.DimseError:
        print("the peer was told")

async def on_a_loop():
    async with aio.Server(("127.0.0.1", 0), handlers) as server:
        peer = threading.Thread(target=ask, args=(server.address[1],))
        peer.start()
        await asyncio.to_thread(reached.wait)
    peer.join()

if face == "asyncio":
    asyncio.run(on_a_loop())
else:
    with dimse.Server(("127.0.0.1", 0), handlers) as server:
        peer = threading.Thread(target=ask, args=(server.address[1],))
        peer.start()
        reached.wait()
    peer.join()
print("the end")
"""


@pytest.mark.thorough
@on_both_faces
def test_a_process_ends_though_a_handler_never_does(face: Face) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, face], capture_output=True, text=True, timeout=LONG, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the peer was told\nthe end\n")
    assert done.stderr == f"{LEFT}\n"


# --- async def handlers of a blocking server ---


def test_they_have_one_loop_that_lives_as_long_as_the_server() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    pool: asyncio.Queue[str] = asyncio.Queue()

    async def echo(request: dimse.EchoRequest) -> int:
        loops.append(asyncio.get_running_loop())
        if request.message_id == 1:
            # What is kept for later, such as a connection, belongs to the loop.
            loops[0].call_soon(pool.put_nowait, "a connection")
        async with asyncio.timeout(LONG):
            await pool.get()
        pool.put_nowait("a connection")
        return 0

    with serving("threads", dimse.Handlers(echo=echo)) as port:
        for _ in range(2):
            with associate(port) as association:
                for _ in range(3):
                    if association.echo() != 0:
                        pytest.fail("the loop is another one")
        assert len(loops) == 6
        assert len(set(map(id, loops))) == 1
        assert loops[0].is_running()
        threads = threading.active_count()
    assert loops[0].is_closed()
    assert threading.active_count() < threads


def test_those_of_several_associations_run_at_the_same_time() -> None:
    together: list[asyncio.Barrier] = []

    async def echo(_: dimse.EchoRequest) -> int:
        together[:] = together or [asyncio.Barrier(5)]
        async with asyncio.timeout(LONG):
            await together[0].wait()
        return 0

    with serving("threads", dimse.Handlers(echo=echo)) as port, ThreadPoolExecutor(5) as pool:

        def ask(_: int) -> int:
            with associate(port) as association:
                return int(association.echo())

        assert list(pool.map(ask, range(5))) == [0] * 5


def test_each_knows_its_association() -> None:
    async def echo(request: dimse.EchoRequest) -> int:
        await asyncio.sleep(0)
        about = ABOUT.get()
        return 0 if about is not None and about.calling_ae_title == request.peer.ae_title else 0x0122

    with serving("threads", dimse.Handlers(echo=echo)) as port:
        for title in ("ONE", "TWO"):
            with associate(port, title) as association:
                assert association.echo() == 0


@on_both_faces
def test_what_one_raises_is_a_failure_and_the_others_go_on(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    async def echo(request: dimse.EchoRequest) -> int:
        await asyncio.sleep(0)
        if request.message_id == 1:
            raise RuntimeError("no")
        return 0

    with serving(face, dimse.Handlers(echo=echo)) as port, associate(port) as association:
        assert [association.echo() for _ in range(2)] == [0x0110, 0]
    assert errors(caplog) == ["the handler of EchoRequest failed: RuntimeError: no"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()], ids=repr)
def test_one_that_wants_to_end_its_thread_ends_its_association_alone(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    async def echo(request: dimse.EchoRequest) -> int:
        await asyncio.sleep(0)
        if request.peer.ae_title == "EXITS":
            raise error
        return 0

    with serving("threads", dimse.Handlers(echo=echo)) as port, associate(port) as other:
        assert other.echo() == 0
        with pytest.raises(dimse.AssociationError), associate(port, "EXITS") as association:
            association.echo()
        assert other.echo() == 0
    # A SystemExit is one line in the log.
    assert [args.exc_type for args in told] == ([] if isinstance(error, SystemExit) else [type(error)])


def test_one_that_calls_exit_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Python drops the SystemExit of a thread in silence: without the line, the association would end for no reason."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def echo(_: dimse.EchoRequest) -> int:
        sys.exit(3)

    with (
        serving("threads", dimse.Handlers(echo=echo)) as port,
        pytest.raises(dimse.AssociationError),
        associate(port) as association,
    ):
        association.echo()
    assert "the handler of EchoRequest called sys.exit(3): the association ends" in errors(caplog)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_one_that_wants_to_end_the_program_ends_its_association_alone(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def echo(request: dimse.EchoRequest) -> int:
        if request.peer.ae_title == "EXITS":
            raise SystemExit(3)
        return 0

    async def echo_on_the_loop(request: dimse.EchoRequest) -> int:
        return echo(request)

    handler = echo if kind == "def" else echo_on_the_loop
    with serving("asyncio", dimse.Handlers(echo=handler)) as port, associate(port) as other:
        assert other.echo() == 0
        with pytest.raises(dimse.AssociationError), associate(port, "EXITS") as association:
            association.echo()
        assert other.echo() == 0
    assert errors(caplog) == ["the handler of EchoRequest called sys.exit(3): the association ends"]


def test_one_may_end_its_server() -> None:
    threads = threading.active_count()

    async def echo(_: dimse.EchoRequest) -> int:
        server.shutdown()
        return 0

    with dimse.Server((LOOPBACK, 0), dimse.Handlers(echo=echo)) as server:
        started = time.monotonic()
        with pytest.raises(dimse.AssociationError), associate(server.address[1]) as association:
            association.echo()
    assert time.monotonic() - started < AT_ONCE
    give_up = time.monotonic() + LONG
    while threading.active_count() > threads:
        assert time.monotonic() < give_up, threading.enumerate()


def test_without_them_asyncio_is_not_loaded() -> None:
    program = """
import sys
import dimse
with dimse.Server(("127.0.0.1", 0), dimse.Handlers(echo=lambda request: 0)) as server:
    with dimse.associate("127.0.0.1", server.address[1], contexts=[dimse.Verification]) as association:
        association.echo()
print("asyncio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


# --- how long they take ---


@on_both_faces
@pytest.mark.parametrize("junk", ["0", 1.5, object(), []], ids=["text", "float", "object", "list"])
def test_an_invalid_sink_is_a_failure_status(
    face: Face, junk: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    handlers = dimse.Handlers(store_begin=lambda request: junk, store=lambda request: 0)  # type: ignore[arg-type,return-value]
    with serving(face, handlers) as port, associate(port) as association:
        assert association.store(make_instance(tmp_path).path) == 0x0110
        assert association.echo() == 0
    assert errors(caplog) == [f"the handler of StoreRequest returned {type(junk).__name__} instead of a status"]

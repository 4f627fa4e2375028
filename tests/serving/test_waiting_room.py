"""The waiting room: a connection without an association costs no thread, no place, no memory, and no time of others."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_network

import pytest

from dimse.association import pump
from dimse.serving.places import Places
from dimse.serving.visitors import Visitor
from dimse.serving.waiting_room import Network, WaitingRoom
from dimse.settings import Acceptor, Limits, Timeouts
from dimse.transport.threaded import ThreadTransport
from tests.drivers import Face, Received, errors, on_both_faces, open_descriptors, running, serving, tls_contexts
from tests.faulty_peer import item
from tests.hostile_scu import (
    CONTEXTS,
    LOOPBACK,
    RELEASE_RQ,
    USER_INFORMATION,
    HostileSCU,
    associate_rq,
    echo,
    works,
)

SOON = 0.3  # seconds: a deadline to pass
# Seconds: what does not wait for a deadline is done by then, however slow the machine is.
AT_ONCE = 5.0

# The bytes of connections that never become associations. An abort is answered, and a connection that the peer leaves open is
# closed.
VISITS = {
    "nothing": b"",
    "a byte": b"\1",
    "half a request": associate_rq()[:100],
    "no DICOM": b"GET / HTTP/1.1\r\n\r\n",
    "a rejected request": associate_rq(calling=b""),
}


def verify_echo(port: int) -> None:
    with HostileSCU(port) as scu:
        scu.associate()
        scu.send(echo() + RELEASE_RQ)
        assert scu.answers() == ["C-ECHO-RSP 0000H", "A-RELEASE-RP"]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something that happens elsewhere has happened."""
    give_up = time.monotonic() + AT_ONCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0)


def seconds_until_closed(scu: HostileSCU, started: float) -> float:
    """Read to the end without answering; how long after `started` it came."""
    with suppress(ConnectionResetError):
        while scu.socket.recv(65536):
            pass
    return time.monotonic() - started


@contextmanager
def visitors(port: int, count: int, says: bytes) -> Iterator[list[HostileSCU]]:
    """Yield so many connections that send something and stay."""
    with ExitStack() as stack:
        here = [stack.enter_context(HostileSCU(port)) for _ in range(count)]
        for scu in here:
            scu.send(says)
        yield here


# --- what they cost ---


@on_both_faces
@pytest.mark.parametrize("says", VISITS)
def test_they_cost_no_thread_and_no_place(face: Face, says: str) -> None:
    limits = Limits(associations=1)
    with running(face, Received().handlers, limits=limits) as server:
        verify_echo(server.address[1])
        until(lambda: server.associations == 0)
        threads = threading.active_count()
        with visitors(server.address[1], 50, VISITS[says]):
            # This one comes after them, so they have been taken in.
            verify_echo(server.address[1])
            until(lambda: server.associations == 0)
            assert threading.active_count() <= threads
            verify_echo(server.address[1])


@on_both_faces
def test_an_invalid_handshake_costs_no_thread_and_no_time(face: Face) -> None:
    contexts = tls_contexts()
    with running(face, tls=contexts.server) as server:
        threads = threading.active_count()
        with ExitStack() as stack:
            for says in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", associate_rq(), b"\xff" * 1000):
                stack.enter_context(visitors(server.address[1], 10, says))
            connected = stack.enter_context(socket.create_connection(server.address, timeout=AT_ONCE))
            secured = stack.enter_context(contexts.client.wrap_socket(connected, server_hostname=LOOPBACK))
            # This is not DICOM, and still in the waiting room.
            secured.sendall(b"EHLO\r\n\0\0\0\0\0\0")
            assert secured.recv(10) == bytes.fromhex("07000000000400000000")
            assert threading.active_count() == threads
            assert server.associations == 0


@pytest.mark.thorough
@on_both_faces
def test_they_leave_nothing(face: Face) -> None:
    with serving(face, Received().handlers, timeouts=Timeouts(acse=SOON)) as port:
        works(port, "1.2.3")
        descriptors = open_descriptors()
        for says in VISITS.values():
            with visitors(port, 10, says) as here:
                here[0].reset()
                for scu in here[1:5]:
                    seconds_until_closed(scu, 0)
        until(lambda: open_descriptors() <= descriptors)
        works(port, "1.2.3")


# --- how long they may stay ---


@pytest.mark.sample("nothing-threads", "half a request-*")
@on_both_faces
@pytest.mark.parametrize("says", ["nothing", "a byte", "half a request"])
def test_artim_closes_a_connection_without_a_request(face: Face, says: str) -> None:
    with serving(face, timeouts=Timeouts(acse=SOON)) as port:
        started = time.monotonic()
        with visitors(port, 5, VISITS[says]) as here:
            for scu in here:
                assert SOON * 0.9 < seconds_until_closed(scu, started) < AT_ONCE


@on_both_faces
def test_artim_is_not_put_off_by_bytes_that_drip(face: Face) -> None:
    with serving(face, timeouts=Timeouts(acse=SOON)) as port, HostileSCU(port) as scu:
        started = time.monotonic()
        scu.socket.settimeout(SOON / 50)
        for byte in associate_rq():
            scu.send(bytes([byte]))
            try:
                assert scu.socket.recv(1) == b""
                break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        assert SOON * 0.9 < time.monotonic() - started < AT_ONCE


@on_both_faces
def test_a_stalled_handshake_is_closed_too(face: Face) -> None:
    with serving(face, timeouts=Timeouts(connect=SOON), tls=tls_contexts().server) as port:
        started = time.monotonic()
        with visitors(port, 5, b"\x16\x03\x01") as here:
            for scu in here:
                assert SOON * 0.9 < seconds_until_closed(scu, started) < AT_ONCE


@on_both_faces
def test_without_artim_they_may_stay(face: Face) -> None:
    with serving(face, Received().handlers, timeouts=Timeouts(acse=0)) as port, HostileSCU(port) as patient:
        works(port, "1.2.3")
        patient.associate()
        patient.send(echo())
        assert patient.read() == "C-ECHO-RSP 0000H"


@pytest.mark.usefixtures("brief_linger")
@on_both_faces
@pytest.mark.parametrize("says", ["no DICOM", "a rejected request"])
def test_a_peer_that_has_its_answer_and_does_not_leave_is_closed_soon(face: Face, says: str) -> None:
    with serving(face) as port:
        started = time.monotonic()
        with visitors(port, 5, VISITS[says]) as here:
            for scu in here:
                assert pump.LINGER * 0.9 < seconds_until_closed(scu, started) < AT_ONCE


@pytest.mark.usefixtures("brief_linger")
@on_both_faces
@pytest.mark.parametrize("says", ["no DICOM", "a rejected request"])
def test_a_peer_that_never_stops_sending_takes_no_time_from_others(face: Face, says: str) -> None:
    """They are closed at their deadline, and meanwhile others have their turn."""
    chunk = b"\xff" * (1 << 20)

    def talk(scu: HostileSCU) -> None:
        with contextlib.suppress(OSError):
            while True:
                scu.socket.sendall(chunk)

    with serving(face) as port, visitors(port, 3, VISITS[says]) as here:
        started = time.monotonic()
        talking = [threading.Thread(target=talk, args=(scu,)) for scu in here]
        for thread in talking:
            thread.start()
        verify_echo(port)
        for thread in talking:
            thread.join()
        assert time.monotonic() - started < AT_ONCE


# --- how many there may be ---


@on_both_faces
def test_the_oldest_gives_way(face: Face) -> None:
    with serving(face, limits=Limits(half_open=10)) as port, visitors(port, 10, VISITS["a byte"]) as first:
        with visitors(port, 7, b""):
            for scu in first[:7]:
                seconds_until_closed(scu, 0)
            first[9].send(associate_rq()[1:])
            assert first[9].read() == "A-ASSOCIATE-AC"
        verify_echo(port)


@on_both_faces
def test_a_leaving_peer_gives_way_first(face: Face) -> None:
    with (
        serving(face, limits=Limits(half_open=3)) as port,
        visitors(port, 2, VISITS["a byte"]) as waiting,
        visitors(port, 1, VISITS["no DICOM"]) as leaving,
    ):
        assert leaving[0].read() == "A-ABORT 0/0"
        with HostileSCU(port) as fourth:
            started = time.monotonic()
            assert seconds_until_closed(leaving[0], started) < pump.LINGER
            fourth.associate()
        waiting[0].associate(associate_rq()[1:])


# --- rejections ---


@on_both_faces
def test_a_rejected_peer_holds_no_place(face: Face) -> None:
    options = {"limits": Limits(associations=1), "calling_ae_titles": ["FRIEND"]}
    with serving(face, Received().handlers, **options) as port, visitors(port, 20, associate_rq()) as rejected:
        for scu in rejected:
            assert scu.read() == "A-ASSOCIATE-RJ 1/1/3"  # and stays
        with HostileSCU(port) as friend:
            friend.associate(associate_rq(calling=b"FRIEND"))
            for _ in range(3):
                with HostileSCU(port) as late:
                    late.send(associate_rq(calling=b"FRIEND"))
                    assert late.answers() == ["A-ASSOCIATE-RJ 2/3/2"]
            friend.send(echo())
            assert friend.read() == "C-ECHO-RSP 0000H"


@on_both_faces
def test_a_place_is_free_again_however_its_association_ended(face: Face) -> None:
    with running(face, limits=Limits(associations=1)) as server:
        for end in (b"\7\0\0\0\0\4\0\0\0\0", RELEASE_RQ, b"\xff" * 10, b""):
            with HostileSCU(server.address[1]) as scu:
                scu.associate()
                assert server.associations == 1
                scu.send(end)
            until(lambda: server.associations == 0)


@pytest.mark.usefixtures("brief_delays")
@on_both_faces
def test_a_peer_with_a_refused_identity_holds_no_place(face: Face) -> None:
    asked = USER_INFORMATION + item(0x58, b"\1\0\0\2me\0\0")
    limits = Limits(associations=1)
    with running(face, limits=limits, identify=lambda identity: None) as server:
        for _ in range(3):
            with HostileSCU(server.address[1]) as scu:
                scu.send(associate_rq(CONTEXTS, user_information=asked))
                assert scu.answers() == ["A-ASSOCIATE-RJ 1/1/1"]
            until(lambda: server.associations == 0)


# --- where they may come from ---


@on_both_faces
def test_only_from_its_networks(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with serving(face, networks=["10.0.0.0/8", "192.0.2.1/32"]) as port, HostileSCU(port) as scu:
        scu.send(associate_rq())
        assert scu.answers() == []  # without a word
        assert [record.getMessage() for record in caplog.records] == [
            f"{scu.address}: closed, for its address is in no network that may connect"
        ]
    with serving(face, networks=["10.0.0.0/8", "127.0.0.0/30"]) as port:
        verify_echo(port)


CALLERS = [
    # from, to, the network; whether it lets them in
    ("127.0.0.1", "127.0.0.1", "127.0.0.0/8", True),
    ("127.0.0.1", "127.0.0.1", "10.0.0.0/8", False),
    ("127.0.0.1", "127.0.0.1", "::/0", False),
    ("::1", "::1", "::1/128", True),
    ("::1", "::1", "fe80::/10", False),
    ("::1", "::1", "0.0.0.0/0", False),
    # An IPv4 address that came to an IPv6 socket (::ffff:127.0.0.1) is an IPv4 address.
    ("127.0.0.1", "::", "127.0.0.0/8", True),
    ("127.0.0.1", "::", "10.0.0.0/8", False),
    ("127.0.0.1", "::", "::/0", False),
]


@pytest.mark.parametrize(("caller", "listens", "network", "admitted"), CALLERS)
def test_an_address_is_in_a_network_or_not(caller: str, listens: str, network: str, admitted: bool) -> None:
    family = socket.AF_INET6 if ":" in listens else socket.AF_INET
    try:
        listener = socket.create_server((listens, 0), family=family, dualstack_ipv6=listens == "::")
    except (OSError, ValueError) as error:
        pytest.skip(f"no IPv6 here: {error}")
    with listener, socket.create_connection((caller, listener.getsockname()[1])) as connected:
        accepted, _ = listener.accept()
        room = _room(ip_network(network))
        room.enter(ThreadTransport(accepted))
        assert len(room) == admitted
        room.clear()
        assert connected.recv(1) == b""


def _room(network: Network) -> WaitingRoom:
    """Return a waiting room without a loop around it."""
    return WaitingRoom(
        watch=lambda visitor, events: None,
        unwatch=lambda visitor: None,
        check=lambda visitor: None,
        welcome=lambda visitor: None,
        acceptor=Acceptor([]),
        places=Places(1, 0),
        timeouts=Timeouts(),
        limits=Limits(),
        networks=[network],
    )


# --- the end ---


@on_both_faces
def test_the_servers_end_closes_them_all(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        with serving(face) as port:
            here = [scu for says in VISITS.values() for scu in stack.enter_context(visitors(port, 3, says))]
            verify_echo(port)
            started = time.monotonic()
        assert time.monotonic() - started < AT_ONCE
        for scu in here:
            assert seconds_until_closed(scu, started) < AT_ONCE
    assert not [line for line in errors(caplog) if "Traceback" in line]


def test_a_peer_that_gave_way_can_be_examined_again() -> None:
    """It was seen to be readable in the same moment in which another one took its place."""
    watched: list[Visitor] = []
    room = WaitingRoom(
        watch=lambda visitor, events: watched.append(visitor),
        unwatch=watched.remove,
        check=lambda visitor: None,
        welcome=lambda visitor: None,
        acceptor=Acceptor([]),
        places=Places(1, 0),
        timeouts=Timeouts(),
        limits=Limits(half_open=1),
    )
    with socket.create_server((LOOPBACK, 0)) as listener, ExitStack() as stack:
        stack.enter_context(socket.create_connection(listener.getsockname()))
        room.enter(ThreadTransport(listener.accept()[0]))
        [first] = watched
        stack.enter_context(socket.create_connection(listener.getsockname()))
        room.enter(ThreadTransport(listener.accept()[0]))
        assert first not in watched
        room.ready(first)
        assert len(room) == 1
        room.clear()
    assert watched == []


@on_both_faces
def test_halves_of_requests_take_so_much_memory_together_and_no_more(face: Face) -> None:
    half = b"\1\0" + (200_000).to_bytes(4, "big") + bytes(100_000)
    with serving(face, limits=Limits(half_open_bytes=250_000)) as port, ExitStack() as stack:
        scus = [stack.enter_context(HostileSCU(port)) for _ in range(3)]
        for scu in scus:
            scu.send(half)
        assert scus[0].read() == "closed"
        verify_echo(port)

"""The proxy does what tests of broken and slow connections rely on."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse.errors import ConnectError, ConnectionLost
from tests.chaos.pcap import Pcap, packets
from tests.chaos.proxy import Fault, Framing, Proxy
from tests.drivers import serving

LENGTHS = [4, 100, 70_000, 0, 9]  # bytes after each PDU's header


def stream(lengths: list[int]) -> bytes:
    """Return PDUs of these lengths."""
    return b"".join(
        struct.pack(">BBI", 4, 0, length) + bytes([number]) * length for number, length in enumerate(lengths)
    )


@contextmanager
def echoing() -> Iterator[int]:
    """Yield the port of a server that sends back what it gets, over one connection after another."""

    def run() -> None:
        while True:
            connection, _ = listener.accept()
            with connection:
                count = 0
                try:
                    while data := connection.recv(1 << 16):
                        count += len(data)
                        connection.sendall(data)
                except ConnectionError:
                    count += 1
                if not count:  # which ends it
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def exchange(port: int, data: bytes) -> tuple[bytes, str]:
    """Send this and end; what comes back, and how that ended."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            return received, "RST"
        try:
            while more := connection.recv(1 << 16):
                received += more
        except ConnectionResetError:
            return received, "RST"
    return received, "FIN"


def test_what_goes_in_comes_out() -> None:
    data = bytes(range(256)) * 40_000  # 10 MB that are not PDUs
    with echoing() as scp, Proxy(scp) as port:
        assert exchange(port, data) == (data, "FIN")
        assert exchange(port, b"x") == (b"x", "FIN")


def test_a_connection_that_is_not_to_be_cut_passes_whole() -> None:
    data = stream(LENGTHS) + b"\4\0\0"  # and the beginning of a header
    with echoing() as scp, Proxy(scp, cut_after=iter([1000])) as port:
        assert exchange(port, data) == (data, "FIN")


def test_the_delay_is_that_of_each_way_and_does_not_add_up() -> None:
    data = bytes(1 << 20)
    with echoing() as scp, Proxy(scp, delay=0.1) as port:
        started = time.monotonic()
        assert exchange(port, data) == (data, "FIN")
        seconds = time.monotonic() - started
    # There are 16 chunks or more, and each is under way for 0.2 s.
    assert 0.2 <= seconds < 2.0


def test_an_association_over_it_stands() -> None:
    with (
        serving() as scp,
        Proxy(scp, delay=0.01) as port,
        dimse.associate("127.0.0.1", port, contexts=[dimse.Verification]) as association,
    ):
        assert association.echo() == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_it_is_cut_after_so_many_pdus_in_a_way_that_the_seed_decides(seed: int, after: int) -> None:
    cuts = []
    for _ in range(2):
        with one_way() as (scp, arrived):
            proxy = Proxy(scp, cut_after=iter([after]), seed=seed)
            with proxy as port:
                _, end = exchange(port, stream(LENGTHS))
            [cut] = proxy.cuts
        whole = len(stream(LENGTHS[:after]))
        before = len(stream(LENGTHS[: after - 1]))
        assert cut[0] == end
        if end == "FIN":
            assert before < len(arrived) < whole if "torn" in cut else len(arrived) == whole
            assert stream(LENGTHS).startswith(bytes(arrived))
        else:
            assert len(arrived) <= whole
        cuts.append((cut, bytes(arrived) if end == "FIN" else b""))
    assert cuts[0] == cuts[1]


@contextmanager
def one_way() -> Iterator[tuple[int, bytearray]]:
    """Yield the port of a server that takes one connection, and what came over it, complete in the end."""
    arrived = bytearray()

    def run() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                while data := connection.recv(1 << 16):
                    arrived.extend(data)
            except ConnectionResetError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1], arrived
        thread.join()


def test_seeds_differ_and_every_way_occurs() -> None:
    ways = set()
    for seed in range(24):
        with one_way() as (scp, _):
            proxy = Proxy(scp, cut_after=iter([2]), seed=seed)
            with proxy as port:
                exchange(port, stream(LENGTHS))
            ways.update(proxy.cuts)
    assert ways == {("FIN",), ("RST",), ("FIN", "torn"), ("RST", "torn")}


def test_pdus_of_both_directions_count() -> None:
    with serving() as scp:
        # A-ASSOCIATE-RQ and -AC, then two for each C-ECHO.
        for after, echoes in ((4, 1), (6, 2)):
            proxy = Proxy(scp, cut_after=iter([after]), seed=whole_by_fin())
            with proxy as port:
                with dimse.associate("127.0.0.1", port, contexts=[dimse.Verification]) as association:
                    for _ in range(echoes):
                        assert association.echo() == 0
                    with pytest.raises(ConnectionLost):
                        association.echo()
                    association.abort()
                with dimse.associate("127.0.0.1", port, contexts=[dimse.Verification]) as association:
                    assert association.echo() == 0  # there is one cut only
            assert (proxy.connections, proxy.cuts) == (2, [("FIN",)])


def whole_by_fin() -> int:
    """Return a seed with which the first connection ends by FIN behind a PDU."""
    for seed in itertools.count():
        with one_way() as (scp, _):
            proxy = Proxy(scp, cut_after=iter([1]), seed=seed)
            with proxy as port:
                exchange(port, stream([4]))
        if proxy.cuts == [("FIN",)]:
            return seed
    raise AssertionError


def test_without_an_acceptor_there_is_no_association() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()[1]
    with Proxy(nobody) as port, pytest.raises((ConnectionLost, ConnectError)):
        dimse.associate("127.0.0.1", port, contexts=[dimse.Verification])


@pytest.mark.parametrize("chunk", [1, 5, 6, 7, 1000, 1 << 20])
def test_pdus_are_found_however_the_stream_is_cut_up(chunk: int) -> None:
    framing, data = Framing(), stream(LENGTHS)
    pieces = [piece for at in range(0, len(data), chunk) for piece in framing.pieces(data[at : at + chunk])]
    assert b"".join(piece for piece, _ in pieces) == data
    assert [length for _, length in pieces if length] == [6 + length for length in LENGTHS]


# ---- declared faults


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("kind", ["FIN", "RST", "half-close"])
def test_a_declared_fault_affects_its_connection_and_no_other(kind: str, torn: bool) -> None:
    fault = Fault(kind, after=2, torn=torn)  # type: ignore[arg-type]  # of three words
    with echoing() as scp:
        proxy = Proxy(scp, faults=iter([None, fault]))
        with proxy as port:
            assert exchange(port, stream(LENGTHS)) == (stream(LENGTHS), "FIN")
            _, end = exchange(port, stream(LENGTHS))
            assert end == ("RST" if kind == "RST" else "FIN")
            assert exchange(port, stream(LENGTHS)) == (stream(LENGTHS), "FIN")
    assert proxy.cuts == [fault.described]


def test_a_half_close_ends_one_direction_and_the_other_goes_on() -> None:
    with one_way_and_back(b"afterwards") as (scp, arrived), Proxy(scp, faults=iter([Fault("half-close", 2)])) as port:
        assert exchange(port, stream(LENGTHS)) == (b"afterwards", "FIN")
    assert bytes(arrived) == stream(LENGTHS[:2])


@contextmanager
def one_way_and_back(answer: bytes) -> Iterator[tuple[int, bytearray]]:
    """Do as `one_way`; when its other side has ended, the server answers."""
    arrived = bytearray()

    def run() -> None:
        connection, _ = listener.accept()
        with connection:
            while data := connection.recv(1 << 16):
                arrived.extend(data)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1], arrived
        thread.join()


@pytest.mark.parametrize("torn", [False, True])
def test_a_stall_lasts_until_it_is_released_and_nothing_is_lost(torn: bool) -> None:
    with echoing() as scp:
        proxy = Proxy(scp, faults=iter([Fault("stall", 2, torn)]))
        with proxy as port, socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(stream(LENGTHS))
            connection.shutdown(socket.SHUT_WR)
            assert proxy.stalled.wait(20)
            received = b""
            connection.settimeout(0.1)
            with pytest.raises(TimeoutError):
                while data := connection.recv(1 << 16):
                    received += data
            assert len(received) <= len(stream(LENGTHS[:2]))
            proxy.release()
            connection.settimeout(20)
            while data := connection.recv(1 << 16):
                received += data
    assert received == stream(LENGTHS)


def test_a_stall_may_have_an_end_of_its_own() -> None:
    started = time.monotonic()
    with echoing() as scp, Proxy(scp, faults=iter([Fault("stall", 1, seconds=0.1)])) as port:
        assert exchange(port, stream(LENGTHS)) == (stream(LENGTHS), "FIN")
    assert time.monotonic() - started >= 0.1


# ---- how it is passed on


@contextmanager
def taking_writes(count: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the port of a server that answers each read by a byte, and the lengths that it has read."""
    lengths: list[int] = []

    def run() -> None:
        connection, _ = listener.accept()
        with connection:
            while sum(lengths) < count:
                lengths.append(len(connection.recv(1 << 16)))
            connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1], lengths
        thread.join()


def test_writes_are_split() -> None:
    data = stream(LENGTHS[:2])
    with echoing() as scp, Proxy(scp, split=3) as port:
        assert exchange(port, data) == (data, "FIN")
    with Pcap(Path("/dev/null")) as pcap, echoing() as scp, Proxy(scp, split=3, record=pcap) as port:
        exchange(port, data)
        assert pcap.packets >= 2 * len(data) / 3


def test_writes_are_coalesced() -> None:
    with (
        taking_writes(1000) as (scp, lengths),
        Proxy(scp, coalesce=1000) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(100):
            connection.sendall(bytes(10))
        assert connection.recv(1) == b"x"
    assert len(lengths) <= 10


def test_what_comes_alone_is_not_held_back_for_ever() -> None:
    with echoing() as scp, Proxy(scp, coalesce=1 << 20) as port:
        assert exchange(port, b"alone") == (b"alone", "FIN")


def test_it_is_as_slow_as_it_is_told_to_be() -> None:
    data, started = bytes(2000), time.monotonic()
    with echoing() as scp, Proxy(scp, slow=10_000) as port:
        assert exchange(port, data) == (data, "FIN")
    assert 0.2 <= time.monotonic() - started < 5.0


@pytest.mark.parametrize(
    "options", [{"split": 7}, {"coalesce": 1 << 16}, {"slow": 100_000}, {"split": 50, "delay": 0.001}]
)
def test_an_association_stands_however_bytes_are_passed_on(options: dict[str, float]) -> None:
    with (
        serving() as scp,
        Proxy(scp, **options) as port,  # type: ignore[arg-type]  # each is of its own type
        dimse.associate("127.0.0.1", port, contexts=[dimse.Verification]) as association,
    ):
        assert association.echo() == 0


# ---- what is recorded


def test_what_passed_is_recorded_in_order(tmp_path: Path) -> None:
    path = tmp_path / "conversations.pcap"
    with Pcap(path) as pcap, echoing() as scp, Proxy(scp, record=pcap) as port:
        assert exchange(port, stream(LENGTHS)) == (stream(LENGTHS), "FIN")
        assert exchange(port, b"second") == (b"second", "FIN")
    streams: dict[tuple[int, int], dict[int, bytes]] = {}
    ended: set[tuple[int, int]] = set()
    for ports, number, flags, data in packets(path):
        streams.setdefault(ports, {})[number] = data if data else streams.get(ports, {}).get(number, b"")
        if flags & 1:
            ended.add(ports)
    requestors = sorted(ports for ports in streams if ports[1] == 11112)
    assert len(requestors) == 2
    for ports, said in zip(requestors, (stream(LENGTHS), b"second"), strict=True):
        for direction in (ports, ports[::-1]):
            pieces = sorted(streams[direction].items())
            assert b"".join(data for _, data in pieces) == said
            assert direction in ended

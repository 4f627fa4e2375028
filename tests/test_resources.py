"""The cost of attacks on memory, time, descriptors and logs: a deflate bomb, an object beyond 32 bits, floods, slow peers.

Nearly all sides are processes of their own, looked at from outside. What many connections cost is in `test_load`, what a wrong
message costs in `test_probes`.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import pytest

from dimse import uids
from dimse.archive import FileStore
from dimse.errors import FileError
from dimse.instances import InstanceFile
from dimse.settings import Timeouts
from tests.archive.storing import ENVIRONMENT, ROOT, names, stored_data_set
from tests.drivers import Face, on_both_faces
from tests.drivers import running as running_server
from tests.faulty_peer import P_DATA_TF, pdu, pdv
from tests.hostile_scu import (
    COMMAND,
    CT_IMAGE_STORAGE,
    ECHO,
    LAST,
    RELEASE_RQ,
    STORE,
    HostileSCU,
    associate_rq,
    context,
    cpu_seconds,
    data_pdus,
    data_set,
    descriptors_and_threads,
    echo,
    p_data,
    private,
    store_command,
    works,
)
from tests.server_process import SOON, Watch, server_process, verify_rest
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Instance

DEFLATED = uids.DeflatedExplicitVRLittleEndian
SECONDS = 300.0  # seconds: longer than any test
MILLION = 1_000_000
# Bytes of memory, of either side, beyond what a small object takes.
MOST_OF_A_BOMB = 4 << 20
MOST_OF_AN_OBJECT = 32 << 20
MOST_OF_A_CONNECTION = 16 << 10
# Connections that come, and those that the server keeps.
IDLE, KEPT = 5000, 2000
MOST_ADDRESSES = 256 << 20  # bytes of a process, everything together
# Bytes: 256 KiB are received at a time, and may be 40,000 PDVs.
MOST_OF_A_FLOOD = 8 << 20
# Of processor time; at two bytes in each this is 0.3 MB/s.
PDVS_A_SECOND = 150_000

Side = Literal["storescp", "threads", "asyncio"]
to_each_receiver = pytest.mark.parametrize("receiver", ["storescp", "threads", "asyncio"])
campaign = [pytest.mark.campaign, pytest.mark.timeout(SECONDS)]


# --- two processes ---


@contextmanager
def receiving(receiver: Side, folder: Path, said: list[str] | None = None) -> Iterator[tuple[int, int]]:
    """Process and port of what stores in `folder`; its warnings and errors are `said` in the end."""
    said = [] if said is None else said
    if receiver == "storescp":
        with listening("storescp", "-od", folder, "--durability", "none", "-ll", "warn") as listener:
            yield listener.process.pid, listener.port
            said += listener.end()
    else:
        with server_process(receiver, folder) as server:
            yield server.pid, server.port
            said += server.said()


@dataclass(frozen=True)
class Sent:
    """A run of storescu: its exit status, its lines, seconds, and the most private memory of both sides, in bytes."""

    status: int
    said: str
    seconds: float
    sender: int
    receiver: int


def send(path: Path, receiver: tuple[int, int]) -> Sent:
    pid, port = receiver
    started = time.monotonic()
    with (
        running.start("storescu", "127.0.0.1", port, path) as process,
        Watch(process.pid) as sender,
        Watch(pid) as store,
    ):
        _, said = process.communicate(timeout=SECONDS)
    return Sent(process.returncode, said, time.monotonic() - started, sender.most, store.most)


def same_data_set(one: Path, other: Path) -> bool:
    """Return True if two Part 10 files have the same data set, of whatever size."""
    with one.open("rb") as ours, other.open("rb") as theirs:
        skip_file_meta(ours)
        skip_file_meta(theirs)
        while piece := ours.read(MILLION):
            if theirs.read(MILLION) != piece:
                return False
        return not theirs.read(1)


def skip_file_meta(file: BinaryIO) -> None:
    head = file.read(144)
    assert head[128:140] == b"DICM\2\0\0\0UL\4\0"
    file.seek(int.from_bytes(head[140:144], "little"), os.SEEK_CUR)


# --- deflate bombs ---


def header(group: int, number: int, size: int) -> bytes:
    """Return the header of an element of VR OB (PS3.5 7.1.2)."""
    return struct.pack("<HH2sHI", group, number, b"OB", 0, size)


def bomb(path: Path, millions: int, *, uids_first: bool = True) -> Path:
    """Write a file whose data set inflates to so many million bytes, with the UIDs before or behind."""
    instance = Instance("1.2.3", uids.CTImageStorage, DEFLATED, rest=b"")
    whole = instance.data_set, header(0x7FE0, 0x0010, millions * MILLION)
    before, after = (b"".join(whole), b"") if uids_first else (header(0x0007, 0x1001, millions * MILLION), whole[0])
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)

    def deflate(data: bytes) -> bytes:
        # What follows does not depend on it.
        return deflater.compress(data) + deflater.flush(zlib.Z_FULL_FLUSH)

    deflated = deflate(before) + deflate(bytes(MILLION)) * millions + deflate(after) + deflater.flush()
    path.write_bytes(instance.file_meta + deflated + bytes(len(deflated) % 2))  # padded as PS3.5 A.5 says
    return path


@pytest.mark.thorough
@to_each_receiver
@pytest.mark.parametrize("millions", [256, pytest.param(4000, marks=campaign)])
def test_a_deflate_bomb_takes_no_memory_and_is_stored_as_it_is(receiver: Side, millions: int, tmp_path: Path) -> None:
    small, large = bomb(tmp_path / "small", 1), bomb(tmp_path / "large", millions)
    assert large.stat().st_size < 1200 * millions
    kept = tmp_path / "kept"
    with receiving(receiver, kept) as into:
        base = send(small, into)
        (kept / "CT.1.2.3").unlink()
        sent = send(large, into)
    assert (base.status, base.said, sent.status, sent.said) == (0, "", 0, "")
    assert sent.receiver - base.receiver < MOST_OF_A_BOMB
    assert sent.sender - base.sender < MOST_OF_A_BOMB
    assert same_data_set(large, kept / "CT.1.2.3")


@pytest.mark.parametrize("millions", [256, pytest.param(4000, marks=campaign)])
def test_uids_behind_a_bomb_are_not_waited_for(millions: int, tmp_path: Path) -> None:
    path = bomb(tmp_path / "late", millions, uids_first=False)
    before = time.process_time()
    with pytest.raises(FileError, match=r"its UIDs are not among the first 4,194,304 bytes that it inflates to"):
        InstanceFile.check(str(path))
    # To inflate all of it takes more than a second.
    assert time.process_time() - before < 0.3


@pytest.mark.thorough
@to_each_receiver
def test_a_receiver_looks_no_further_than_the_beginning_of_a_bomb(receiver: Side, tmp_path: Path) -> None:
    with bomb(tmp_path / "late", 1000, uids_first=False).open("rb") as file:
        skip_file_meta(file)
        late = file.read()
    with receiving(receiver, tmp_path / "kept") as (pid, port):
        works(port, "1.2.4")
        base, worked = private(pid), cpu_seconds(pid)
        with HostileSCU(port) as scu, Watch(pid) as watch:
            scu.associate(associate_rq([context(STORE, CT_IMAGE_STORAGE, DEFLATED)]))
            scu.send(p_data(STORE, COMMAND | LAST, store_command("1.2.3")) + data_pdus(late) + RELEASE_RQ)
            assert scu.answers() == ["C-STORE-RSP A900H", "A-RELEASE-RP"]
        assert watch.most - base < MOST_OF_A_BOMB
        assert cpu_seconds(pid) - worked < 0.5
    assert names(tmp_path / "kept") == ["CT.1.2.4"]


# --- an object of more than 32 bits ---


def sparse(path: Path) -> Path:
    """Write a file of 4.5 GiB, nearly all of it holes; every 100 MB its position is written."""
    sizes = 1 << 31, 1 << 31, 1 << 29
    with path.open("wb") as file:
        file.write(Instance("1.2.3", uids.CTImageStorage, rest=running.element(0x0009, 0x0010, "LO", b"DIMSE")).content)
        for number, size in enumerate(sizes, 0x1001):
            file.write(header(0x0009, number, size))
            end = file.tell() + size
            for place in range(file.tell(), end - 100, 100 * MILLION):
                file.seek(place)
                file.write(b"%d" % place)
            file.seek(end)
        file.truncate()
    return path


@pytest.mark.campaign
@pytest.mark.timeout(SECONDS)
@to_each_receiver
def test_an_object_of_4_5_gib_takes_no_memory_and_is_stored_as_it_is(receiver: Side, tmp_path: Path) -> None:
    small, large, kept = bomb(tmp_path / "small", 1), sparse(tmp_path / "large"), tmp_path / "kept"
    with receiving(receiver, kept) as into:
        base = send(small, into)
        (kept / "CT.1.2.3").unlink()
        sent = send(large, into)
    assert (base.status, base.said, sent.status, sent.said) == (0, "", 0, "")
    assert sent.receiver - base.receiver < MOST_OF_AN_OBJECT
    assert sent.sender - base.sender < MOST_OF_AN_OBJECT
    assert (kept / "CT.1.2.3").stat().st_size > 4.5 * (1 << 30)
    assert same_data_set(large, kept / "CT.1.2.3")
    (kept / "CT.1.2.3").unlink()


# --- floods ---


FLOODS = {
    "a million empty PDVs": (pdu(P_DATA_TF, pdv(ECHO, COMMAND, b"") * 1000), 1000, "A-ABORT 0/0"),
    "10,000 bad PDUs": (pdu(0xFF, bytes(4)) * 100, 100, "A-ABORT 2/1"),
}


@pytest.mark.thorough
@to_each_receiver
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_cut_off_at_its_beginning(receiver: Side, flood: str, tmp_path: Path) -> None:
    piece, times, answer = FLOODS[flood]
    with receiving(receiver, tmp_path / "kept") as (pid, port):
        works(port, "1.2.3")
        base, worked = private(pid), cpu_seconds(pid)
        with HostileSCU(port) as scu:
            scu.associate()
            for _ in range(times):
                scu.send(piece)
            # No answer at all: it has closed the connection while we sent.
            assert scu.answers() in ([answer], [])
        assert cpu_seconds(pid) - worked < 0.25
        assert private(pid) - base < MOST_OF_A_FLOOD
        works(port, "1.2.4")


@pytest.mark.thorough
@to_each_receiver
def test_an_object_in_half_a_million_pdvs_is_taken(receiver: Side, tmp_path: Path) -> None:
    """Each costs about 2 microseconds, whatever is in it."""
    encoded = data_set("1.2.3", 1 << 20)
    with receiving(receiver, tmp_path / "kept") as (pid, port), HostileSCU(port) as scu:
        pdvs = [pdv(STORE, 0, encoded[at : at + 2]) for at in range(0, len(encoded) - 2, 2)]
        pdus = [pdu(P_DATA_TF, b"".join(pdvs[at : at + 1000])) for at in range(0, len(pdvs), 1000)]
        scu.associate()
        scu.send(p_data(STORE, COMMAND | LAST, store_command("1.2.3")))
        worked = cpu_seconds(pid)
        scu.send(b"".join(pdus) + p_data(STORE, LAST, encoded[-2:]) + RELEASE_RQ)
        assert scu.answers() == ["C-STORE-RSP 0000H", "A-RELEASE-RP"]
        assert len(pdvs) / (cpu_seconds(pid) - worked) > PDVS_A_SECOND
    assert stored_data_set(tmp_path / "kept" / "CT.1.2.3") == encoded


@pytest.mark.campaign
@pytest.mark.timeout(SECONDS)
def test_the_whole_corpus_is_decided_in_little_memory() -> None:
    code = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MOST_ADDRESSES},) * 2); import tests.corpus.__main__ as m"
    run = [sys.executable, "-c", f"{code}; m.main()"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")


# --- descriptors ---


@to_each_receiver
def test_half_open_connections_leave_descriptors_to_others(receiver: Side, tmp_path: Path) -> None:
    """64 for all: half of them are for connections that say nothing, so that others associate and store."""
    said: list[str] = []
    with receiving(receiver, tmp_path / "kept", said) as (pid, port), ExitStack() as stack:
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, hard))
        for _ in range(120):
            stack.enter_context(HostileSCU(port))
        works(port, "1.2.3")
        assert descriptors_and_threads(pid)[0] < 64
    assert not [line for line in said if "cannot accept a connection" in line]


@pytest.mark.thorough
@to_each_receiver
def test_without_descriptors_it_waits_and_others_go_on(receiver: Side, tmp_path: Path) -> None:
    """No more than 5: connections beyond are not accepted until some have gone, which is not said at every attempt."""
    said: list[str] = []
    with receiving(receiver, tmp_path / "kept", said) as (pid, port), HostileSCU(port) as before:
        before.associate()
        # With so few left, half-open connections use them all before half of those that there may be.
        most = descriptors_and_threads(pid)[0] + 5
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, limits[1]))
        with ExitStack() as stack:
            for _ in range(8):
                stack.enter_context(HostileSCU(port))
            give_up = time.monotonic() + SOON
            while descriptors_and_threads(pid)[0] < most:
                assert time.monotonic() < give_up
            verify_rest(pid)
            before.send(echo())
            assert before.read() == "C-ECHO-RSP 0000H"
        works(port, "1.2.3")
        before.send(RELEASE_RQ)
        assert before.answers() == ["A-RELEASE-RP"]
    # Anew for each that is accepted before the next attempt fails: the 3 that wait here, and the one of `works`.
    assert 1 <= len([line for line in said if "cannot accept a connection" in line]) <= 5


# --- slow peers ---


@pytest.mark.thorough
@on_both_faces
def test_idle_connections_take_little_and_the_oldest_give_way(face: Face, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with server_process(face, tmp_path / "kept") as server, ExitStack() as stack:
            works(server.port, "1.2.3")
            base = private(server.pid)
            for _ in range(IDLE):
                stack.enter_context(HostileSCU(server.port))
            started = time.monotonic()
            works(server.port, "1.2.4")
            assert time.monotonic() - started < SOON
            assert private(server.pid) - base < KEPT * MOST_OF_A_CONNECTION
            assert descriptors_and_threads(server.pid)[0] < KEPT + 50
            server.rest()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.thorough
@on_both_faces
def test_a_pdu_that_comes_byte_by_byte_has_its_time_and_no_more(face: Face, tmp_path: Path) -> None:
    """A PDU of 16 KiB has 2 seconds (8 KiB a second) over the network timeout, whatever arrives meanwhile."""
    begun = p_data(STORE, COMMAND | LAST, store_command("1.2.3")) + p_data(STORE, 0, data_set("1.2.3", 16384))[:1000]
    with (
        FileStore(tmp_path, durability="none") as files,
        running_server(face, files.handlers(), timeouts=Timeouts(network=0.3)) as server,
        ExitStack() as stack,
    ):
        scus = [stack.enter_context(HostileSCU(server.address[1])) for _ in range(50)]
        for scu in scus:
            scu.associate()
            scu.send(begun)
        started = time.monotonic()
        while server.associations:
            assert time.monotonic() - started < SOON
            for scu in scus:
                scu.send(b"\0")
            time.sleep(0.05)
        assert time.monotonic() - started > 2
        works(server.address[1], "1.2.4")
        assert names(tmp_path) == ["CT.1.2.4"]


@pytest.mark.thorough
@on_both_faces
def test_responses_that_are_not_read_are_not_collected(face: Face) -> None:
    """Read nothing more from a peer that does not read, until the network timeout."""
    with running_server(face, timeouts=Timeouts(network=0.5)) as server, ExitStack() as stack:
        # What the system buffers for a peer takes so long to fill as all of it is answered: little.
        (port,) = server._ports
        assert port.listener is not None
        port.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        scus = [stack.enter_context(HostileSCU(server.address[1])) for _ in range(10)]
        for scu in scus:
            scu.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            scu.associate()
        base = private(os.getpid())
        echoes, started = echo() * 1000, time.monotonic()
        most = 0
        for scu in scus:
            scu.socket.setblocking(False)
        while server.associations:
            assert time.monotonic() - started < SOON
            for scu in scus:
                with suppress(BlockingIOError, ConnectionError):
                    scu.socket.send(echoes)
            most = max(most, private(os.getpid()))
            time.sleep(0.01)
        assert most - base < 50 << 20
        verify_rest(os.getpid())

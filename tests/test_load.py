"""Servers under load: many connections, many associations, many objects, and what is left when they are gone.

The server is a process of its own, whose memory, descriptors and threads are looked at from outside. Each test has a size for
every day and one for a campaign (`pytest -m campaign`).
"""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dimse.archive import FileStore
from dimse.archive.file_store import OnDuplicate
from dimse.serving.reception import Reception
from dimse.testing import StorageSCP
from tests.archive.storing import names, stored_data_set
from tests.drivers import Face, make_instance, on_both_faces, running
from tests.hostile_scu import (
    ABORT,
    COMMAND,
    LAST,
    LOOPBACK,
    RELEASE_RQ,
    STORE,
    HostileSCU,
    associate_rq,
    cpu_seconds,
    data_set,
    descriptors_and_threads,
    echo,
    forget_peak,
    p_data,
    resident,
    store_command,
    works,
)
from tests.interop import peers
from tests.server_process import SOON, server_process

# Longer than any conversation of a campaign.
SECONDS = 300.0
# Seconds that a legitimate echo may take, whatever other peers do.
QUICK = 0.25
# Bytes, beyond what the server had before.
MOST_MEMORY = 256 << 20
MOST_A_CONNECTION = 1024  # bytes that may remain per connection
# Connections after which what a server keeps for itself no longer grows.
WARM = 1000
MOST_TIME = 0.005  # processor seconds per connection


def sizes(**by_name: tuple[Any, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with one size every day and another one in a campaign, of each argument named."""
    everyday, campaign = ([pair[which] for pair in by_name.values()] for which in (0, 1))
    sized: Callable[[Callable[..., None]], Callable[..., None]] = pytest.mark.parametrize(
        list(by_name),
        [
            pytest.param(*everyday, id="everyday"),
            pytest.param(*campaign, id="campaign", marks=[pytest.mark.campaign, pytest.mark.timeout(SECONDS)]),
        ],
    )
    return sized


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """Allow as many descriptors as possible, for both ends of the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- no peer waits for others ---


def seconds_of_an_echo(scu: HostileSCU) -> float:
    started = time.monotonic()
    scu.send(echo())
    assert scu.read() == "C-ECHO-RSP 0000H"
    return time.monotonic() - started


def seconds_of_an_association(port: int) -> float:
    started = time.monotonic()
    with HostileSCU(port) as scu:
        scu.associate()
        scu.send(echo() + RELEASE_RQ)
        assert scu.answers() == ["C-ECHO-RSP 0000H", "A-RELEASE-RP"]
    return time.monotonic() - started


@contextmanager
def dripping(slow: list[HostileSCU]) -> Iterator[None]:
    """Have each of these send a byte of its request now and then, and never all of it."""
    done = threading.Event()

    def drip() -> None:
        for byte in associate_rq()[:-1]:
            for scu in slow:
                scu.send(bytes([byte]))
                if done.wait(0.001):
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@on_both_faces
@sizes(over_the_limit=(150, 1000))
def test_an_echo_is_quick_whatever_others_do(face: Face, over_the_limit: int, tmp_path: Path) -> None:
    with server_process(face, tmp_path, associations=30) as server, ExitStack() as stack:

        def connect() -> HostileSCU:
            return stack.enter_context(HostileSCU(server.port, SECONDS))

        base = descriptors_and_threads(server.pid)
        idle, slow = ([connect() for _ in range(200)] for _ in range(2))
        with dripping(slow):
            took = [seconds_of_an_association(server.port) for _ in range(50)]
            standing = [connect() for _ in range(30)]
            for scu in standing:
                scu.associate()
            refused = [connect() for _ in range(over_the_limit)]
            for scu in refused:
                scu.send(associate_rq())
            took += [seconds_of_an_echo(standing[0]) for _ in range(50)]
            assert {scu.read() for scu in refused} == {"A-ASSOCIATE-RJ 2/3/2"}
        # Two of a hundred may have met something else that the machine does.
        assert sorted(took)[-3] < QUICK
        assert max(took) < 20 * QUICK
        for scu in (*idle, *slow, *standing, *refused):
            scu.socket.close()
        # asyncio keeps a few threads for handlers.
        server.settle((base[0], base[1] + 6))


# --- nothing is left behind ---


def connect_and_close(port: int, number: int) -> None:
    """Connect as a health check does; one in three sends something that is not DICOM, one in three resets."""
    with HostileSCU(port) as scu:
        if number % 3 == 1:
            scu.send(b"GET / HTTP/1.1\r\n\r\n")
        if number % 3 == 2:
            scu.reset()


def echo_once(port: int, number: int) -> None:
    seconds_of_an_association(port)


@pytest.mark.sample("everyday-connect_and_close-*")
@on_both_faces
@pytest.mark.parametrize("visit", [connect_and_close, echo_once])
@sizes(times=(1, 10))
def test_what_comes_and_goes_leaves_nothing(
    face: Face, visit: Callable[[int, int], None], times: int, tmp_path: Path
) -> None:
    visits = times * (2000 if visit is connect_and_close else 500)
    with server_process(face, tmp_path) as server:
        works(server.port, "1.2.3")
        for number in range(WARM):
            visit(server.port, number)
        works(server.port, "1.2.3")
        base, before, worked = descriptors_and_threads(server.pid), resident(server.pid), cpu_seconds(server.pid)
        for number in range(visits):
            visit(server.port, number)
        works(server.port, "1.2.3")
        server.settle(base)
        server.rest()
        assert (cpu_seconds(server.pid) - worked) / visits < MOST_TIME
        assert (resident(server.pid) - before) / visits < MOST_A_CONNECTION


def leave_rudely(port: int, number: int) -> None:
    """Leave an association at once: after requests, within a message, or after a release request."""
    half_a_store = p_data(STORE, COMMAND | LAST, store_command("1.2.9")) + p_data(STORE, 0, b"xx")
    with HostileSCU(port) as scu:
        scu.associate()
        scu.send((echo() * 3, half_a_store, echo() + RELEASE_RQ)[number % 3])
        if number % 2:
            scu.reset()


@pytest.mark.thorough
@on_both_faces
@sizes(times=(300, 5000))
def test_a_peer_that_disappears_leaves_no_work(face: Face, times: int, tmp_path: Path) -> None:
    """A server does not try for ever to send something to a peer that is gone."""
    with server_process(face, tmp_path) as server:
        works(server.port, "1.2.3")
        base, worked = descriptors_and_threads(server.pid), cpu_seconds(server.pid)
        for number in range(times):
            leave_rudely(server.port, number)
        server.settle(base)
        server.rest()
        assert (cpu_seconds(server.pid) - worked) / times < MOST_TIME
        works(server.port, "1.2.3")


# --- much at a time ---


@on_both_faces
@sizes(associations=(10, 100), megabytes=(5, 50))
def test_large_objects_at_a_time_are_kept_as_they_are(
    face: Face, associations: int, megabytes: int, tmp_path: Path
) -> None:
    # What is the same in all of them is made once: the pixel data of one UID is as good as another's.
    encoded = data_set("1.2.0", megabytes << 20)
    head = len(encoded) - (megabytes << 20)
    half_way = threading.Barrier(associations)

    def send(number: int) -> list[str]:
        uid = f"1.3.{number}"
        own = data_set(uid, 0)[:-4] + encoded[head - 4 : head]
        first, step = 1 << 20, 130_000
        with HostileSCU(server.port, SECONDS) as scu:
            scu.associate()
            scu.send(p_data(STORE, COMMAND | LAST, store_command(uid)) + p_data(STORE, 0, own))
            for start in range(head, len(encoded), step):
                if start <= first < start + step:
                    half_way.wait(SECONDS)  # all are under way
                scu.send(p_data(STORE, LAST * (start + step >= len(encoded)), encoded[start : start + step]))
            scu.send(RELEASE_RQ)
            return scu.answers()

    with server_process(face, tmp_path / "kept", associations) as server:
        works(server.port, "1.2.3")
        base = forget_peak(server.pid)
        with ThreadPoolExecutor(associations) as executor:
            answers = list(executor.map(send, range(associations)))
        assert answers == [["C-STORE-RSP 0000H", "A-RELEASE-RP"]] * associations
        assert resident(server.pid, peak=True) - base < MOST_MEMORY
        for number in range(associations):
            path = server.folder / f"CT.1.3.{number}"
            kept = stored_data_set(path)
            path.unlink()  # a campaign's are 5 GB
            assert kept[-(megabytes << 20) :] == encoded[head:]
            assert kept[: -(megabytes << 20)] == data_set(f"1.3.{number}", 0)[:-4] + encoded[head - 4 : head]
        assert names(server.folder) == ["CT.1.2.3"]


@sizes(objects=(200, 2000))
def test_a_sender_with_nagles_algorithm_does_not_wait_for_us(objects: int, tmp_path: Path) -> None:
    """DCMTK's storescu as it comes: it stalls for 40 ms on each object where acknowledgements are delayed."""
    storescu = peers.dcmtk("storescu")
    for number in range(objects):
        make_instance(tmp_path, number + 1, pixels=4096)
    with StorageSCP() as scp:
        started = time.monotonic()
        done = peers.run(storescu, "+sd", LOOPBACK, str(scp.port), tmp_path, nodelay=False)
        took = time.monotonic() - started
    assert done.returncode == 0, done.stdout
    assert len(set(scp.sop_instance_uids)) == objects
    assert took < objects * 0.040 / 2


# --- a re-send that is cut ---

KEPT, OTHER = data_set("1.2.3", 100_000), data_set("1.2.3", 300_000)


def fin(scu: HostileSCU) -> None:
    scu.socket.close()


def within_a_pdu(scu: HostileSCU) -> None:
    scu.send(p_data(STORE, LAST, OTHER)[:1000])
    scu.socket.close()


def abort(scu: HostileSCU) -> None:
    scu.send(ABORT)


def release(scu: HostileSCU) -> None:
    scu.send(RELEASE_RQ)
    scu.answers()


def nonsense(scu: HostileSCU) -> None:
    scu.send(b"\xff" * 100)
    assert scu.answers() == ["A-ABORT 2/1"]


@pytest.mark.sample("*-keep-both-the same-*")
@on_both_faces
@pytest.mark.parametrize("again", [KEPT, OTHER], ids=["the same", "another"])
@pytest.mark.parametrize("policy", ["keep-both", "replace", "reject"])
@pytest.mark.parametrize("cut", [fin, HostileSCU.reset, within_a_pdu, abort, release, nonsense])
def test_what_was_kept_survives_a_re_send_that_is_cut(
    face: Face, policy: OnDuplicate, cut: Callable[[HostileSCU], None], again: bytes, tmp_path: Path
) -> None:
    with (
        FileStore(tmp_path, durability="none", on_duplicate=policy) as files,
        running(face, files.handlers()) as server,
    ):
        port = server.address[1]
        works(port, "1.2.3", 100_000)
        kept = (tmp_path / "CT.1.2.3").read_bytes()
        # All but the last PDU, or but its last fragment.
        for sent in (0, 1000, len(again) - 2):
            with HostileSCU(port) as scu:
                scu.associate()
                scu.send(p_data(STORE, COMMAND | LAST, store_command("1.2.3")))
                scu.send(b"".join(p_data(STORE, 0, again[start : start + 16000]) for start in range(0, sent, 16000)))
                cut(scu)
                until_over(server)
            assert os.listdir(tmp_path / ".incoming") == []
            assert names(tmp_path) == ["CT.1.2.3"]
            assert (tmp_path / "CT.1.2.3").read_bytes() == kept
        # Whole and the same: it is kept already.
        works(port, "1.2.3", 100_000)
        assert names(tmp_path) == ["CT.1.2.3"]


def until_over(server: Reception) -> None:
    """Wait until the server has no association left."""
    give_up = time.monotonic() + SOON
    while server.associations:
        assert time.monotonic() < give_up
        time.sleep(0)

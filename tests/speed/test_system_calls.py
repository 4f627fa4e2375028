"""The numbers of system calls of storescu, storescp and the echo tools, for an object and for an association."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dimse.settings import ASYNC_OPS
from tests.hostile_scu import RELEASE_RQ, HostileSCU, echo
from tests.speed.counting import Counts, Traced, Work, one_more, run, too_many, transfer
from tests.tools.listeners import listening

# More calls of each kind in all of a run, which the interpreter makes now and then, to get memory for example.
SPARE = 10


def table(*calls: str, **more: float) -> dict[str, float]:
    """Return how often each call may be made: as often as it is among `calls`, or as `more` says."""
    return {**Counter(" ".join(calls).split()), **more}


# These calls are all that are made. Some depend on how fast the other end is and on what the system does meanwhile, and have room.
#
# - storescu may find a response without waiting for it: then it calls `poll` and `recvfrom` once less.
# - storescp takes in 256 KiB at a time, if so much is there: an image of 525 KB comes in three pieces, rarely in four.
# - A large object fills the connection again and again, and each time the system takes a third of what fits or more.
# - The disk is asked for its space 10 times a second, or with every object when it is nearly full, and every 16 MiB (`fstatfs`).
# - storescp asks once for each instance whether its folder still stands at its path (`stat`): what it says it has kept is there.
# - The interpreter's lock changes hands when threads begin and end (`futex`), which takes from 40 to 65 calls in a run.
LOCKED = 0.5  # `futex` per object: 100 a run
FOUND = "stat openat stat pread64 close"
READ = "openat pread64 stat close"
MAPPED = "openat stat stat fcntl mmap madvise close munmap close stat"
ANSWERED = "recvfrom poll recvfrom"
BEGUN = "openat fchmod fstatfs"
KEPT = "fsync stat linkat fsync sendmsg unlinkat close"

WORKS = {
    "small": Work(
        3_800,
        (50, 150),
        table(FOUND, READ, "sendmsg", ANSWERED),
        table("poll recvfrom", BEGUN, "writev", KEPT, futex=LOCKED),
    ),
    "a CT image": Work(
        524_288,  # six PDUs
        (50, 150),
        table(FOUND, MAPPED, "sendmsg", ANSWERED),
        table(BEGUN, KEPT, poll=1.5, recvfrom=4, setsockopt=3, writev=4, futex=LOCKED),
    ),
    "large": Work(
        20_000_000,  # 154 PDUs, 77 times 256 KiB
        (1, 3),
        table(FOUND, MAPPED, ANSWERED, sendmsg=25, poll=25),
        table(BEGUN, KEPT, poll=10, recvfrom=100, setsockopt=100, writev=100, fstatfs=2, fadvise64=5, futex=20),
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_an_object_takes_few_calls_of_either_side(work: Work, tmp_path: Path) -> None:
    assert work.exceeded(tmp_path, spare=SPARE) == {"storescu": {}, "storescp": {}}


@pytest.mark.thorough
def test_with_a_window_there_are_no_more_calls_than_without(tmp_path: Path) -> None:
    """But one: while others are outstanding, storescu has TCP acknowledge each response (`setsockopt`)."""
    objects = 150
    alone, together = (transfer(objects, 3_800, tmp_path / str(window), window) for window in (1, ASYNC_OPS))
    alone["storescu"]["setsockopt"] += objects
    for tool in alone:
        alone[tool]["futex"] += round(objects * LOCKED)
    assert {tool: too_many(together[tool], alone[tool], SPARE) for tool in alone} == {"storescu": {}, "storescp": {}}


# ---- an association, with one C-ECHO

ACCEPTED = "accept4 getsockname ioctl setsockopt ioctl getpeername getpeername accept4"
WAITED = "epoll_ctl epoll_wait recvfrom epoll_ctl epoll_wait"
HANDED_ON = "sendto epoll_wait recvfrom"
ANSWERS = (
    "getpeername getpeername sendmsg poll recvfrom sendmsg poll recvfrom sendmsg poll recvfrom poll recvfrom close"
)
CONNECTED = "connect poll getsockopt"
ASKS = (
    "sendmsg poll recvfrom getpeername recvfrom sendmsg poll recvfrom recvfrom sendmsg poll recvfrom close"
    " rt_sigaction exit_group"
)
BUFFER = "mmap munmap"
# At the end the module `signal` is loaded.
LOADED = "stat stat stat stat openat stat ioctl lseek lseek stat read read close"


@pytest.mark.thorough
def test_an_association_takes_few_calls_of_echoscp(tmp_path: Path) -> None:
    def calls(associations: int) -> Counts:
        scp = Traced(tmp_path / str(associations))
        # Quiet: the requestor proposes contexts that are refused, and a notice is a call.
        with listening("echoscp", "-q", start=scp.start) as listener:
            for _ in range(associations):
                with HostileSCU(listener.port) as scu:
                    scu.associate()
                    scu.send(echo())
                    assert scu.read() == "C-ECHO-RSP 0000H"
                    scu.send(RELEASE_RQ)
                    assert scu.answers() == ["A-RELEASE-RP"]
            assert listener.end() == []
        return {"echoscp": scp.counts()}

    most = table(
        ACCEPTED, WAITED, HANDED_ON, ANSWERS, BUFFER, futex=15, mprotect=1, prlimit64=1
    )  # a thread gets its memory
    assert too_many(one_more(20, 120, calls)["echoscp"], most, SPARE / 100) == {}


def test_an_echo_takes_few_calls_and_few_bytes(tmp_path: Path) -> None:
    """The calls are those of echoscu, from its connection to its end."""
    scu = Traced(tmp_path / "trace")
    with listening("echoscp") as listener:
        run(scu, "echoscu", listener.host, listener.port)
        assert listener.end() == []
    most = table(CONNECTED, ASKS, BUFFER, LOADED)
    assert too_many(scu.counts("connect"), most) == {}
    assert scu.moved("sendmsg") <= 400
    assert scu.moved("recvfrom") <= 320

"""How often storescu, storescp and the echo tools call the system, for an object and for an association."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hostile_scu import RELEASE_RQ, HostileSCU, echo
from tests.speed.counting import Counts, Traced, one_more, run, too_many, transfer
from tests.tools.listeners import listening


SPARE = 10  # calls of each kind more in all of a run: what the interpreter does now and then, to get memory for example


@dataclass(frozen=True)
class Work:
    """Objects that are sent, and what they may cost.

    Attributes:
        pixels: Bytes of pixel data of each.
        objects: How many, in two runs.
        storescu, storescp: How often, on average, each call may be made for one object.
    """

    pixels: int
    objects: tuple[int, int]
    storescu: dict[str, float]
    storescp: dict[str, float]


# The counts are those that are there. Some depend on how fast the other end is and on what the system does meanwhile, and have room:
# - storescu may find a response without waiting for it: then it calls `poll` and `recvfrom` once less than here.
# - storescp takes in 256 KiB at a time, if so much is there. An image of 525 KB comes in three pieces, rarely in four.
# - A large object fills the connection again and again, and each time the system takes a third of what fits or more.
# - The disk is asked for its space 10 times a second, or with every object when it is nearly full, and every 16 MiB (`fstatfs`).
# - The interpreter's lock changes hands when threads begin and end (`futex`).
LOOKED_AT = {"openat": 1, "newfstatat": 2, "pread64": 1, "close": 1}
READ = {"openat": 1, "newfstatat": 1, "pread64": 1, "close": 1}
MAPPED = {"openat": 1, "newfstatat": 3, "fcntl": 1, "mmap": 1, "madvise": 1, "close": 2, "munmap": 1}
ANSWERED = {"poll": 1, "recvfrom": 2}
KEPT = {"openat": 1, "fchmod": 1, "fsync": 2, "linkat": 1, "unlinkat": 1, "close": 1, "sendmsg": 1, "fstatfs": 2, "futex": 0.5}


def added(*tables: Mapping[str, float]) -> dict[str, float]:
    """One table of several."""
    return {call: sum(table.get(call, 0) for table in tables) for call in {call for table in tables for call in table}}


# pixels of an object: objects in the runs, what storescu and storescp call for each
WORKS = {
    "small": Work(
        3_800,
        (50, 150),
        added(LOOKED_AT, READ, {"sendmsg": 1}, ANSWERED),
        added({"poll": 1, "recvfrom": 1, "writev": 1}, KEPT),
    ),
    "a CT image": Work(
        524_288,  # six PDUs, and one call for them
        (50, 150),
        added(LOOKED_AT, MAPPED, {"sendmsg": 1}, ANSWERED),
        added({"poll": 1.5, "recvfrom": 4, "setsockopt": 3, "writev": 4}, KEPT),
    ),
    "large": Work(
        20_000_000,  # 154 PDUs, 77 times 256 KiB
        (1, 3),
        added(LOOKED_AT, MAPPED, {"sendmsg": 25, "poll": 25}, ANSWERED),
        added({"poll": 10, "recvfrom": 100, "setsockopt": 100, "writev": 100, "futex": 20}, KEPT),
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS)
def test_an_object_takes_few_calls_of_either_side(work: Work, tmp_path: Path) -> None:
    few, more = work.objects
    calls = one_more(few, more, lambda objects: transfer(objects, work.pixels, tmp_path / str(objects), Traced))
    spare = SPARE / (more - few)
    assert too_many(calls["storescu"], work.storescu, spare) == {}
    assert too_many(calls["storescp"], work.storescp, spare) == {}


# ---- associations

THREAD = {
    "clone3": 1,
    "exit": 1,
    "futex": 15,
    "gettid": 3,
    "madvise": 1,
    "rseq": 1,
    "rt_sigprocmask": 4,
    "set_robust_list": 1,
}
TAKEN = {"accept4": 2, "epoll_wait": 3, "epoll_ctl": 2, "ioctl": 2, "setsockopt": 1, "getsockname": 1, "getpeername": 4}
BUFFER = {"mmap": 1, "munmap": 1}
VERIFIED = {"poll": 4, "sendmsg": 3, "recvfrom": 5}  # A-ASSOCIATE, C-ECHO and A-RELEASE, and the end of the connection


@pytest.mark.thorough
def test_an_association_takes_few_calls_of_echoscp(tmp_path: Path) -> None:
    def calls(associations: int) -> Counts:
        scp = Traced(tmp_path / str(associations))
        with listening("echoscp", start=scp.start) as listener:
            for _ in range(associations):
                with HostileSCU(listener.port) as scu:
                    scu.associate()
                    scu.send(echo())
                    assert scu.read() == "C-ECHO-RSP 0000H"
                    scu.send(RELEASE_RQ)
                    assert scu.answers() == ["A-RELEASE-RP"]
            assert listener.end() == []
        return {"echoscp": scp.counts()}

    most = added(TAKEN, THREAD, BUFFER, VERIFIED, {"close": 1})
    assert too_many(one_more(20, 120, calls)["echoscp"], most, SPARE / 100) == {}


def test_an_echo_takes_few_calls_and_few_bytes(tmp_path: Path) -> None:
    """Of echoscu, from its connection on."""
    scu = Traced(tmp_path / "trace")
    with listening("echoscp") as listener:
        run(scu, "echoscu", listener.host, listener.port)
        assert listener.end() == []
    most = added({"connect": 1, "getsockopt": 1, "getpeername": 1, "close": 1, "exit_group": 1}, BUFFER, VERIFIED)
    assert too_many(scu.counts("connect"), most) == {}
    assert scu.moved("sendmsg") <= 400
    assert scu.moved("recvfrom") <= 320

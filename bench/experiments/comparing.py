"""The common part of the experiments: run ways to do one thing in turn, each beside a peer process, and print medians."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

MEMORY = Path("/dev/shm")
# Seconds of a run. If one end fails, the other may wait for it for ever.
LONGEST = 60

Side = Callable[[socket.socket], object]


@dataclass(frozen=True)
class Spent:
    """The cost of one run: wall seconds, and processor seconds here and in the peer, which are 0 without one."""

    seconds: float
    here: float
    there: float


def beside(here: Side, there: Side) -> Spent:
    """Run both sides of a connection over loopback, `there` in a process of its own. The run is over when both are."""
    near, far = _connected()
    peer = os.fork()
    if not peer:
        status = 1
        try:
            signal.alarm(LONGEST)  # kills the process
            near.close()
            far.sendall(b"!")
            there(far)
            status = 0
        finally:
            os._exit(status)
    far.close()
    signal.alarm(LONGEST)
    with near:
        near.recv(1)
        began, cpu = time.perf_counter(), time.process_time()
        here(near)
        cpu = time.process_time() - cpu
    _, status, usage = os.wait4(peer, 0)
    seconds = time.perf_counter() - began
    signal.alarm(0)
    if status:
        raise ChildProcessError(f"the peer ended with {os.waitstatus_to_exitcode(status)}")
    return Spent(seconds, cpu, usage.ru_utime + usage.ru_stime)


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def alone(work: Callable[[], object]) -> Spent:
    """Run a way that needs no peer."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - began, time.process_time() - cpu, 0.0)


def poller(connection: socket.socket, event: int) -> select.poll:
    """Make a socket non-blocking, as a transport does, and return a poll that waits for it."""
    connection.setblocking(False)
    poll = select.poll()
    poll.register(connection, event)
    return poll


@contextmanager
def file_of(size: int, count: int = 1) -> Iterator[list[int]]:
    """Yield the descriptors of a number of new files of random bytes in memory, which have no name."""
    files = [os.open(MEMORY, os.O_TMPFILE | os.O_RDWR, 0o600) for _ in range(count)]
    try:
        for file in files:
            for start in range(0, size, 1 << 20):
                os.pwrite(file, os.urandom(min(1 << 20, size - start)), start)
        yield files
    finally:
        for file in files:
            os.close(file)


def compare(title: str, ways: Mapping[str, Callable[[], Spent]], *, rounds: int = 5, count: int = 1) -> None:
    """Run all ways in turn, because the speed of a machine drifts, and print medians.

    A ratio is the median of the ratios to the first way in the same round.

    Args:
        title: What is compared.
        ways: By name.
        rounds: How many, after one that does not count.
        count: How many things one run does: microseconds are those of one thing.
    """
    turns = [{name: astuple(way()) for name, way in ways.items()} for _ in range(rounds + 1)][1:]
    first = next(iter(ways))
    columns = [("microseconds", 0), ("cpu here", 1)] + [("cpu there", 2)] * (turns[0][first][2] > 0)
    print(f"\n{title}\n{'':40}", *(f"{head:>12}  ratio" for head, _ in columns), sep="  ")
    for name in ways:
        cells = []
        for _, which in columns:
            middle = median(turn[name][which] for turn in turns) / count * 1e6
            ratio = median(turn[name][which] / turn[first][which] for turn in turns)
            cells.append(f"{middle:12.1f}  {ratio:5.2f}")
        print(f"  {name:40}", *cells, sep="  ")

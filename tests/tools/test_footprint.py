"""What the tools cost: memory that does not grow with the object, and a start that is not felt."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dimse
from dimse.sinks import DiscardSink
from tests.hostile_scu import private
from tests.interop import peers
from tests.tools import running
from tests.tools.running import Instance

OBJECT = 500_000_000  # bytes
MEMORY = 48 << 20  # bytes
RUNS = 9  # of each program; the median counts
ATTEMPTS = 3  # the machine may be busy with something else


class Sampler(DiscardSink):
    """Drops a data set and looks at its sender's memory at every megabyte of it.

    Attributes:
        sender: Its process; to be set before `gate` is opened.
        received: Bytes so far.
        samples: Private memory, bytes.
    """

    def __init__(self) -> None:
        self.sender = self.received = 0
        self.samples: list[int] = []
        self.gate = running.Gate()

    def write(self, buffers: Sequence[memoryview]) -> None:
        """Drop them, and look."""
        self.gate.stop()
        self.received += sum(map(len, buffers))
        if self.received >= 1_000_000 * len(self.samples):
            self.samples.append(private(self.sender))


def largest_memory(path: Path) -> int:
    """The most private memory, in bytes, that storescu holds while it sends a file."""
    sink = Sampler()
    handlers = dimse.Handlers(store=lambda request: 0, store_begin=lambda request: sink)
    with (
        dimse.Server(("127.0.0.1", 0), handlers) as server,
        running.start("storescu", *server.address, path) as process,
    ):
        sink.sender = process.pid
        sink.gate.open()
        out, err = process.communicate(timeout=running.SECONDS)
    assert (process.returncode, out, err) == (0, "", "")
    assert sink.received > OBJECT
    assert len(sink.samples) > OBJECT // 2_000_000 and min(sink.samples) > 0
    return max(sink.samples)


def test_the_memory_of_storescu_does_not_grow_with_the_object(tmp_path: Path) -> None:
    path = Instance("1.2.3", rest=b"").write(tmp_path / "large.dcm")
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(running.element(0x7FE0, 0x0010, "OB", b"")[:8] + OBJECT.to_bytes(4, "little"))
        file.truncate(file.tell() + OBJECT)
    assert largest_memory(path) < MEMORY


# ---- what is loaded


def loaded_by(tool: str, *arguments: object) -> set[str]:
    """The top-level modules that a tool has loaded when it is done."""
    script = (
        "import sys; from dimse.__main__ import main; status = main(); "
        "print(*{name.partition('.')[0] for name in sys.modules}); raise SystemExit(status)"
    )
    process = running.run(sys.executable, "-c", script, tool, *map(str, arguments))
    assert (process.returncode, process.stderr) == (0, "")
    return set(process.stdout.split())


def test_neither_pydicom_nor_asyncio_nor_numpy_is_loaded_without_need(tmp_path: Path) -> None:
    path = Instance().write(tmp_path / "image.dcm")
    with running.Receiver() as receiver:
        for arguments in (("echoscu",), ("storescu", path), ("storescu", tmp_path, "--transcode", "always")):
            loaded = loaded_by(str(arguments[0]), "127.0.0.1", receiver.port, *arguments[1:])
            assert "dimse" in loaded
            assert loaded & {"pydicom", "asyncio", "numpy", "PIL"} == set()
    assert len(receiver.stored) == 2


# ---- how long an echo takes, with the start of the program


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """The wall time of a command from its start to its exit."""
    started = time.perf_counter()
    process = running.run(*command, env=environment)
    taken = time.perf_counter() - started
    assert process.returncode == 0, process.stderr
    return taken


def medians(commands: Sequence[Sequence[str]], cache: Path) -> list[float]:
    """Of each command, run in turns so that whatever else the machine does hits all of them.

    Each has run before, and its bytecode is in `cache`, as it is wherever Python is not told to leave it out.
    """
    environment = peers.environment(nodelay=True) | {"PYTHONPYCACHEPREFIX": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for command in commands:
        seconds(command, environment)
    times = [[seconds(command, environment) for command in commands] for _ in range(RUNS)]
    return [statistics.median(each) for each in zip(*times, strict=True)]


def ratio_to(theirs: Sequence[str], right: Callable[[float], bool], cache: Path) -> float:
    """How many times as long as theirs our echoscu takes; measured again, at most twice, if that is not right."""
    ratio = 0.0
    with dimse.Server(("127.0.0.1", 0)) as server:
        to = "127.0.0.1", str(server.address[1])
        for _ in range(ATTEMPTS):
            our_median, their_median = medians([running.command("echoscu", *to), [*theirs, *to]], cache)
            ratio = our_median / their_median
            if right(ratio):
                break
    return ratio


def test_echoscu_takes_at_most_two_and_a_half_times_as_long_as_dcmtks(tmp_path: Path) -> None:
    assert ratio_to([peers.dcmtk("echoscu")], lambda ratio: ratio <= 2.5, tmp_path) <= 2.5


def test_echoscu_is_at_least_four_times_as_fast_as_pynetdicoms(tmp_path: Path) -> None:
    theirs = [peers.pynetdicom(), "-m", "pynetdicom", "echoscu"]
    assert ratio_to(theirs, lambda ratio: ratio <= 0.25, tmp_path) <= 0.25

"""The footprint of the tools: memory that does not grow with the object, and a start that is not felt."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import dimse
from dimse.association.sinks import DiscardSink
from dimse.testing import QueryRetrieveSCP
from dimse.tools import TOOLS
from tests.hostile_scu import private
from tests.interop import peers
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Instance

SOURCE = Path(dimse.__file__).parents[1]
OBJECT = 500_000_000  # bytes
MEMORY = 48 << 20  # bytes
RUNS = 9  # of each program; the median counts
ATTEMPTS = 3  # the machine may be busy


class Sampler(DiscardSink):
    """A sink that drops a data set, and reads its sender's private memory at every megabyte.

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
        """Drop the buffers, and read the memory of the sender."""
        self.gate.stop()
        self.received += sum(map(len, buffers))
        if self.received >= 1_000_000 * len(self.samples):
            self.samples.append(private(self.sender))


def largest_memory(path: Path) -> int:
    """Return the most private memory, in bytes, that storescu holds while it sends a file."""
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
    """Return the top-level modules that a tool has loaded when it ends."""
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


# Loaded for what few users ask for, or when it comes to that; and what is dear in Python's own library. A name stands for all that
# is in a package.
NOT_NEEDED = """
    asyncio concurrent csv dataclasses datetime email http inspect json multiprocessing numpy PIL pydicom random rich secrets shlex
    shtab shutil sqlalchemy sqlite3 ssl subprocess tempfile tomllib urllib uuid xml zipfile
    dimse.aio dimse.audit dimse.transport.certificate dimse.data_set.decompress dimse.data_set.elements dimse.data_set.transcode
    dimse.association.dump dimse.testing dimse.settings.tls dimse.tools.commitment dimse.tools.json_log dimse.tools.log_file
    dimse.tools.explanations dimse.tools.manual dimse.tools.metrics dimse.tools.overview prometheus_client
    dimse.tools.report dimse.tools.report_formats dimse.tools.store_commit dimse.tools.tables dimse.tools.totals
    dimse.transport.looped dimse.transport.tls
"""
SENDING = "queue dimse.sending dimse.tools.progress dimse.tools.sender"
RECEIVING = "hashlib ipaddress dimse.archive dimse.serving.server dimse.tools.listening dimse.serving.waiting_room"
# What makes tracebacks; `logging` imports it.
TRACEBACK = "linecache textwrap tokenize"
NETWORK = "dimse.association dimse.blocking dimse.data_set dimse.association.pump dimse.services dimse.transport dimse.upper_layer"

# Each tool at its ordinary work, and the help: the most modules that it may load, and modules that it must not load. The count
# is from the start of the process on, and each module takes some 0.2 ms of that start.
FOOTPRINTS = {
    "echoscu": (129, f"dimse.uids.table {TRACEBACK} {SENDING} {RECEIVING}"),
    "storescu": (
        151,
        f"queue dimse.sending.journal dimse.sending.options dimse.sending.zipped {TRACEBACK} {RECEIVING}",
    ),
    "findscu": (170, f"{TRACEBACK} {SENDING} {RECEIVING} dimse.data_set.json"),
    "getscu": (182, f"{TRACEBACK} dimse.sending"),
    "movescu": (203, f"{TRACEBACK} dimse.sending"),
    "retrieve": (226, f"{TRACEBACK} dimse.sending.journal dimse.journals"),
    "echoscp": (163, f"hashlib dimse.archive {TRACEBACK} {SENDING}"),
    "storescp": (183, f"dimse.archive.events dimse.logs.line_file {TRACEBACK} {SENDING}"),
    "qrscp --version": (193, f"dimse.uids.table sqlalchemy dimse.archive.index {SENDING} dimse.serving.waiting_room"),
    "archive --version": (150, f"sqlalchemy dimse.archive.index {SENDING} dimse.serving.waiting_room"),
    "explain --version": (80, f"dimse.uids.table {SENDING} {RECEIVING} {NETWORK}"),
    "summary --version": (80, f"dimse.uids.table {SENDING} {RECEIVING} {NETWORK}"),
    "passwd --version": (80, f"dimse.uids.table {SENDING} {RECEIVING} {NETWORK}"),
    "certificate --version": (80, f"cryptography dimse.uids.table {SENDING} {RECEIVING} {NETWORK}"),
    "echoscu --help": (80, f"dimse.uids.table {SENDING} {RECEIVING} {NETWORK}"),
    "--help": (23, f"argparse logging re socket typing dimse.errors {SENDING} {RECEIVING} {NETWORK}"),
}

# No module may compile source in those runs, except for the line that a named tuple compiles. `typing` calls `compile` for the
# annotations of a class. The first call takes 2.5 ms, because it makes a class of every kind of node in a tree.

WATCHED = """
import atexit, os, sys
before, compiling = set(sys.modules), set()

def watch(event, arguments):
    source, name = arguments if event == "compile" else ("", "/")
    if not os.path.isabs(name) and not (source or b"").startswith(b"lambda _cls"):
        frame = sys._getframe()
        while not frame.f_globals.get("__name__", "").startswith("dimse."):
            frame = frame.f_back
        compiling.add(frame.f_globals["__name__"])

@atexit.register
def tell():
    with open(os.environ["FOOTPRINT"], "w") as file:
        print(*set(sys.modules) - before, "|", *compiling, file=file)

from dimse.__main__ import command, main
sys.addaudithook(watch)
command(main)
"""


class Footprints:
    """A runner of tools that report at their end what they have loaded.

    They run without `site`, so that nothing is loaded for what else is installed; qrscp finds SQLAlchemy nevertheless.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.modules: dict[str, set[str]] = {}
        self.compiling: dict[str, set[str]] = {}

    def start(self, words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start `python -m dimse ...` so; `take` then reads what it tells."""
        where = [str(SOURCE)]
        if words[3] == "qrscp":
            where.append(str(Path(sqlalchemy.__file__).parents[1]))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(where), "FOOTPRINT": str(self._folder / "told")}
        return subprocess.Popen([sys.executable, "-S", "-c", WATCHED, *words[3:]], env=environment, **options)

    def take(self, name: str) -> None:
        modules, _, compiling = (self._folder / "told").read_text().partition("|")
        self.modules[name], self.compiling[name] = set(modules.split()), set(compiling.split())

    def run(self, name: str, *arguments: object) -> None:
        """Run one to its end."""
        words = running.command(*name.split(), *arguments)
        with self.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            _, err = process.communicate(timeout=running.SECONDS)
        assert (process.returncode, err) == (0, "")
        self.take(name)


@pytest.fixture(scope="module")
def footprints(tmp_path_factory: pytest.TempPathFactory) -> Footprints:
    """Run each of `FOOTPRINTS` at its work."""
    folder = tmp_path_factory.mktemp("footprints")
    path = Instance().write(folder / "image.dcm")
    found = Footprints(folder)
    for scu, scp, work in (("echoscu", "echoscp", ()), ("storescu", "storescp", (path,))):
        with listening(scp, *(("-od", folder / "incoming") if work else ()), start=found.start) as listener:
            found.run(scu, listener.host, listener.port, *work)
            listener.end()
        found.take(scp)
    known = {"STORESCP": ("127.0.0.1", 1)}
    with QueryRetrieveSCP([{"StudyInstanceUID": "1.2.3"}], destinations=known) as archive:
        found.run("findscu", "127.0.0.1", archive.port, "-k", "StudyInstanceUID=", "--format", "uid")
        found.run("retrieve", "127.0.0.1", archive.port, "-q", "--patient-id", "X", "-od", folder / "in")
        for name, more in (("getscu", ("--sop-class", "CTImageStorage")), ("movescu", ("--store-port", "0"))):
            keys = ("-q", "-S", "--study-uid", "1.2", "-od", folder / name)
            found.run(name, "127.0.0.1", archive.port, *keys, *more)
    for name in FOOTPRINTS:
        if "--" in name:
            found.run(name)
    return found


def test_every_tool_has_its_footprint_taken(footprints: Footprints) -> None:
    assert footprints.modules.keys() == FOOTPRINTS.keys()
    assert {name.partition(" ")[0] for name in FOOTPRINTS} == {*TOOLS, "--help"}


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_a_tool_loads_only_what_it_needs(name: str, footprints: Footprints) -> None:
    most, without = FOOTPRINTS[name]
    loaded = footprints.modules[name]
    packages = {".".join(module.split(".")[: depth + 1]) for module in loaded for depth in range(module.count(".") + 1)}
    assert packages & {*NOT_NEEDED.split(), *without.split()} == set()
    assert len(loaded) <= most, sorted(loaded)


def test_qrscp_loads_its_database_and_little_else(tmp_path: Path) -> None:
    """SQLAlchemy loads much of Python's own library, so the limit is a wide one."""
    found = Footprints(tmp_path)
    places = ("--instance-location", tmp_path / "instances", "--database-location", tmp_path / "index.sqlite")
    with listening("qrscp", *places, start=found.start) as listener:
        found.run("findscu", listener.host, listener.port, "-k", "StudyInstanceUID=", "--format", "uid")
        listener.end()
    found.take("qrscp")
    loaded = found.modules["qrscp"]
    assert "sqlalchemy" in loaded
    unneeded = {"pydicom", "numpy", "PIL", "psycopg", "prometheus_client", "dimse.archive.events", "dimse.audit"}
    unneeded |= {"dimse.aio", "dimse.data_set.decompress", "dimse.data_set.transcode", "dimse.tools.metrics"}
    assert loaded & unneeded == set()
    assert len(loaded) <= 640, len(loaded)


@pytest.mark.parametrize("name", FOOTPRINTS)
def test_a_tool_compiles_nothing(name: str, footprints: Footprints) -> None:
    assert footprints.compiling[name] == set()


COLLECTING = """
import atexit, gc, sys
from dimse import __main__
atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000, file=sys.stderr))
getattr(__main__, sys.argv.pop(1))()
"""


def test_garbage_is_looked_for_once_all_is_loaded(tmp_path: Path) -> None:
    def start(words: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", COLLECTING, *words[3:]], **options)

    with listening("storescp", "-od", tmp_path / "incoming", start=start) as listener:
        for tool, *path in (("echoscu",), ("storescu", str(Instance().write(tmp_path / "image.dcm")))):
            done = running.run(sys.executable, "-c", COLLECTING, tool, listener.host, str(listener.port), *path)
            assert (done.returncode, done.stderr) == (0, "True True\n")
        assert listener.end()[-1] == "True True"


# ---- the end, at which nothing is taken apart


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
@pytest.mark.parametrize("arguments", [["--help"], ["echoscu", "--version"], ["storescu", "--print-completion", "zsh"]])
def test_output_that_is_lost_is_an_exit_status(arguments: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    words = shlex.join([sys.executable, "-m", "dimse", *arguments])
    for output, status in (("/dev/full", 120), ("/dev/null", 0), ("&-", 0)):
        done = running.run("sh", "-c", f"{words} >{output}", env=environment)
        assert done.returncode == status
        assert ("E: the output cannot be written: No space left on device" in done.stderr) == bool(status)
    assert running.run("bash", "-c", f"set -o pipefail; {words} | true", env=environment).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
@pytest.mark.parametrize("count", [1, 2000])
def test_a_table_that_is_lost_is_a_line_and_an_exit_status(tmp_path: Path, count: int) -> None:
    """A short table fails when it is flushed at the end, a long one while it is printed."""
    for number in range(count):
        running.Instance(f"1.2.{number}").write(tmp_path / f"{number}.dcm")
    words = shlex.join(running.command("storescu", "--dry-run", "127.0.0.1", 104, tmp_path))
    done = running.run("sh", "-c", f"{words} >/dev/full")
    assert (done.returncode, done.stderr) == (120, "E: the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_the_exit_status_does_not_depend_on_where_the_output_goes(closed: str) -> None:
    with dimse.Server(("127.0.0.1", 0)) as server:
        words = shlex.join(running.command("echoscu", *server.address))
        assert running.run("sh", "-c", f"{words} {closed}").returncode == 0
    assert running.run("sh", "-c", f"{words} {closed}").returncode == 1


CTRL_C = """
import atexit, os, signal, sys
from dimse.__main__ import command

def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)

def work() -> int:
    if sys.argv[1] == "while it works":
        ctrl_c()
    return 3

if sys.argv[1] == "when all is told":
    atexit.register(ctrl_c)
command(work)
"""


@pytest.mark.parametrize(("moment", "status"), [("while it works", 130), ("when all is told", 3)])
def test_ctrl_c_at_the_end_is_no_traceback(moment: str, status: int) -> None:
    process = running.run(sys.executable, "-c", CTRL_C, moment)
    assert (process.returncode, process.stdout, process.stderr) == (status, "", "")


# ---- how long an echo takes, with the start of the program


def seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    """Return the wall time, in seconds, of a command from its start to its exit."""
    started = time.perf_counter()
    process = running.run(*command, env=environment)
    taken = time.perf_counter() - started
    assert process.returncode == 0, process.stderr
    return taken


def medians(commands: Sequence[Sequence[str]], cache: Path) -> list[float]:
    """Return the median of each command; they take turns, so that whatever else the machine does hits all of them.

    Each has run before, and its bytecode is in `cache`, as it is wherever Python is not told to leave it out.
    """
    environment = peers.environment(nodelay=True) | {"PYTHONPYCACHEPREFIX": str(cache)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for command in commands:
        seconds(command, environment)
    times = [[seconds(command, environment) for command in commands] for _ in range(RUNS)]
    return [statistics.median(each) for each in zip(*times, strict=True)]


def ratio_to(theirs: Sequence[str], right: Callable[[float], bool], cache: Path) -> float:
    """Return how many times as long as theirs our echoscu takes; measure again, at most twice, if that is not right."""
    ratio = 0.0
    with dimse.Server(("127.0.0.1", 0)) as server:
        to = "127.0.0.1", str(server.address[1])
        for _ in range(ATTEMPTS):
            our_median, their_median = medians([running.command("echoscu", *to), [*theirs, *to]], cache)
            ratio = our_median / their_median
            if right(ratio):
                break
    return ratio


@pytest.mark.thorough
def test_echoscu_takes_at_most_two_and_a_half_times_as_long_as_dcmtks(tmp_path: Path) -> None:
    assert ratio_to([peers.dcmtk("echoscu")], lambda ratio: ratio <= 2.5, tmp_path) <= 2.5


@pytest.mark.thorough
def test_echoscu_is_at_least_four_times_as_fast_as_pynetdicoms(tmp_path: Path) -> None:
    theirs = [peers.pynetdicom(), "-m", "pynetdicom", "echoscu"]
    assert ratio_to(theirs, lambda ratio: ratio <= 0.25, tmp_path) <= 0.25

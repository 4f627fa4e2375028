"""A network that is cut, wherever: the tools end at once, tell the truth, and lose nothing.

echoscu and storescu talk to echoscp and storescp through a proxy that ends a connection by FIN, by RST or in one direction only. It
does so behind each PDU of the conversation and within it, at offsets that a seed decides. Both listening tools are processes for
all cases; the others run in this process but for every tenth case, where they are processes, too.
"""

from __future__ import annotations

import io
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from dimse.tools import echoscu, storescu
from dimse.tools.running import NO_ASSOCIATION, SHORTFALL, SUCCESS
from tests.chaos.proxy import Fault, Proxy
from tests.chaos.receivers import hashes
from tests.faulty_peer import pdu
from tests.files import Part10File, part10_files
from tests.hostile_scu import HostileSCU
from tests.tools import running
from tests.tools.listeners import Listener, listening
from tests.tools.running import Instance, element

AT_ONCE = 5.0  # seconds: far below every timeout
Kind = Literal["FIN", "RST", "half-close"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAIN = {"echoscu": echoscu.main, "storescu": storescu.main}

# The PDUs of a conversation: request, commands, data sets and release of the requestor; Accept, Responses, Parting of the acceptor.
ECHO, ECHO_3 = "qAcRlP", "qAcRcRcRlP"
STORE = "qA" + "cdR" * 3 + "cdddR" + "lP"
SERIES, SERIES_JOBS = 3, 3
# Of a listening tool, about what was sent again.
WARNINGS = "Connection closed", "already exists with the same data set"
# Bytes: the fourth file takes three PDUs.
MAXIMUM_LENGTH, LARGE = 4096, 10_000
FILES = 4


@dataclass(frozen=True)
class Case:
    """A conversation and the fault that it meets.

    Attributes:
        tool: The tool that requests the association.
        options: Of it.
        pdus: The conversation, as above; empty where it depends on which of several jobs is faster.
        fault: What harms the first connection; with `retry` or several jobs the first two.
        seed: Decides where within a PDU.
        retry: How often storescu tries again.
        jobs: How many associations it has at a time.
        process: Is the requestor a process of its own?
    """

    tool: Literal["echoscu", "storescu"]
    options: tuple[object, ...]
    pdus: str
    fault: Fault
    seed: int
    retry: int = 0
    jobs: int = 1
    process: bool = False

    def __str__(self) -> str:
        torn = f"-within-{self.seed}" if self.fault.torn else ""
        words = self.tool, *self.options, self.fault.kind, f"{self.fault.after}{torn}", *(["process"] * self.process)
        return "-".join(str(word).strip("-") for word in words)

    @property
    def passed(self) -> str:
        """The PDUs that have passed whole, answers to the last one among them."""
        count = self.fault.after - self.fault.torn
        if self.fault.kind == "half-close" and not self.fault.torn and self.pdus[count : count + 1].isupper():
            # It is answered: the way back is still open.
            count += 1
        return self.pdus[:count]


def cases(
    tool: Literal["echoscu", "storescu"], *options: object, pdus: str = "", most: int = 0, seeds: int, **rest: Any
) -> Iterator[Case]:
    """Yield a fault of each kind behind every PDU, and `seeds` times within it."""
    for kind, after in product(KINDS, range(1, (most or len(pdus)) + 1)):
        yield Case(tool, options, pdus, Fault(kind, after), 0, **rest)
        for seed in range(seeds):
            yield Case(tool, options, pdus, Fault(kind, after, torn=True), seed, **rest)


def numbered(found: Sequence[Case]) -> list[Any]:
    """Give every tenth case a process of its own, and choose every seventh for continuous integration."""
    params = []
    for number, case in enumerate(found):
        chosen = Case(**{**vars(case), "process": number % 10 == 0})
        mark = pytest.mark.thorough if number % 7 == 0 else pytest.mark.campaign
        params.append(pytest.param(chosen, id=str(chosen), marks=mark))
    return params


ECHOES = [
    *cases("echoscu", pdus=ECHO, seeds=3),
    *cases("echoscu", "--repeat", 3, pdus=ECHO_3, seeds=2),
]
ONE_BY_ONE = "--async-ops", 1
STORES = [
    *cases("storescu", *ONE_BY_ONE, pdus=STORE, seeds=2),
    *cases("storescu", "--retry", 2, pdus=STORE, seeds=2, retry=2),
    *cases("storescu", most=len(STORE), seeds=1),
    *cases("storescu", "--jobs", SERIES_JOBS, most=7, seeds=2, jobs=SERIES_JOBS),
    *cases("storescu", "--jobs", SERIES_JOBS, "--retry", 2, most=7, seeds=2, jobs=SERIES_JOBS, retry=2),
]


def test_there_are_700_cuts() -> None:
    found = [*ECHOES, *STORES]
    assert len(set(found)) == len(found) == 720
    assert Counter(case.fault.kind for case in found) == dict.fromkeys(KINDS, 240)
    assert Counter(case.fault.torn for case in found) == {False: 252, True: 468}
    assert Counter((case.tool, case.retry, case.jobs) for case in found) == {
        ("echoscu", 0, 1): 162,
        ("storescu", 0, 1): 270,
        ("storescu", 2, 1): 162,
        ("storescu", 0, 3): 63,
        ("storescu", 2, 3): 63,
    }


# ---- the listening tools


@dataclass
class Target:
    """A listening tool, and what it keeps.

    Attributes:
        kept: Its folder, if it stores.
        told_off: What it said of us where we provoked it.
    """

    listener: Listener
    kept: Path | None = None
    told_off: list[str] = field(default_factory=list)

    def verify_working(self) -> None:
        """Echo; then check that every association that the tool accepted is over and has left no incomplete file."""
        assert self.listener.echo() == 0
        # Its line in the log comes behind those of all associations before it.
        with HostileSCU(self.listener.port) as scu:
            scu.send(pdu(0xFF, b""))
            assert scu.answers() == ["A-ABORT 0/0"]
            self.listener.until(scu.address)
            self.told_off.append(self.listener.said[-1])
        said = self.listener.said
        while sum(map(is_end, said)) < said.count("I: Accepting Association"):
            self.listener.until("")
        if self.kept is not None:
            assert list((self.kept / ".incoming").iterdir()) == []

    def files(self) -> list[Part10File]:
        """Return the files that the tool keeps."""
        assert self.kept is not None
        return part10_files(self.kept)

    def clear(self) -> None:
        """Begin anew."""
        assert self.kept is not None
        for path in self.kept.iterdir():
            if path.is_file():
                path.unlink()


def is_end(line: str) -> bool:
    """Return True if this line of a listening tool says that an association is over."""
    return line in ("I: Association Released", "I: Association Aborted") or ": Connection closed" in line


@contextmanager
def target(tool: str, *options: object, kept: Path | None = None) -> Iterator[Target]:
    """Run a listening tool for many cases; at its end check that it complained of the cuts only."""
    with listening(tool, "-v", *options) as listener:
        found = Target(listener, kept)
        yield found
        said = listener.end()
    # What a peer repeats within a minute is told at INFO, and counted in the end.
    assert [line for line in said if line.startswith("E: ")] == [line for line in found.told_off if line[0] != "I"]
    warnings = [line for line in said if line.startswith("W: ") and "more like it since)" not in line]
    assert [line for line in warnings if not any(words in line for words in WARNINGS)] == []


@pytest.fixture(scope="module")
def echoscp() -> Iterator[Target]:
    with target("echoscp") as found:
        yield found


@pytest.fixture(scope="module")
def storescp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    kept = tmp_path_factory.mktemp("storescp") / "kept"
    options = "-od", kept, "--durability", "none", "-pdu", MAXIMUM_LENGTH, "--async-ops", 8
    with target("storescp", *options, kept=kept) as found:
        yield found


# ---- what is sent


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Part10File]]:
    """Return what is to be sent, by the number of jobs: files of one series, or some of several."""
    folder = tmp_path_factory.mktemp("instances")
    for number in range(FILES):
        make(folder / "1" / f"{number}.dcm", 0, number, LARGE if number == FILES - 1 else 100)
    for number in range(SERIES * 3):
        make(folder / str(SERIES_JOBS) / f"{number}.dcm", number % SERIES, number, 100)
    return {jobs: part10_files(folder / str(jobs)) for jobs in (1, SERIES_JOBS)}


def make(path: Path, series: int, number: int, size: int) -> None:
    rest = (
        element(0x0010, 0x0010, "PN", b"Doe^Jane")
        + element(0x0020, 0x000D, "UI", b"1.2.3")
        + element(0x0020, 0x000E, "UI", f"1.2.3.{series}".encode())
        + element(0x7FE0, 0x0010, "OB", bytes([number]) * size)
    )
    Instance(f"1.2.3.{series}.{number}", rest=rest).write(path)


# ---- running the others


def run(case: Case, *arguments: object) -> int:
    """Run the requesting tool; its exit status. It ends at once, and shows no traceback."""
    started = time.monotonic()
    if case.process:
        done = running.tool(case.tool, *arguments)
        status, out, err = done.returncode, done.stdout, done.stderr
    else:
        status, out, err = run_here(case.tool, *arguments)
    assert time.monotonic() - started < AT_ONCE
    assert "Traceback" not in err, err
    assert out == ""
    assert (status == SUCCESS) == ("E: " not in err), (status, err)
    return status


def run_here(tool: str, *arguments: object) -> tuple[int, str, str]:
    """Run a tool in this process: exit status, stdout and stderr."""
    logger, out, err = logging.getLogger("dimse"), io.StringIO(), io.StringIO()
    handlers, level = list(logger.handlers), logger.level
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = MAIN[tool]([str(argument) for argument in arguments])
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)
    return status, out.getvalue(), err.getvalue()


@contextmanager
def harmed(port: int, case: Case) -> Iterator[int]:
    """Yield a port that leads to `port` and meets the fault of the case."""
    proxy = Proxy(port, faults=iter([case.fault] * (2 if case.retry or case.jobs > 1 else 1)), seed=case.seed)
    with proxy as near:
        yield near
    # Of several jobs, the others may have been so fast that there was nothing left to be sent on these.
    assert proxy.cuts[:1] == [case.fault.described] or (case.jobs > 1 and not proxy.cuts)


# ---- the cuts


@pytest.mark.parametrize("case", numbered(ECHOES))
def test_an_echo_that_is_cut(case: Case, echoscp: Target) -> None:
    with harmed(echoscp.listener.port, case) as port:
        status = run(case, "127.0.0.1", port, *case.options)
    answered = case.passed.count("R")
    if "A" not in case.passed:
        assert status == NO_ASSOCIATION
    else:
        assert status == (SUCCESS if answered == case.pdus.count("R") else SHORTFALL)
    echoscp.verify_working()


@pytest.mark.parametrize("case", numbered(STORES))
def test_a_store_that_is_cut(
    case: Case, storescp: Target, instances: dict[int, list[Part10File]], tmp_path: Path
) -> None:
    files, report = instances[case.jobs], tmp_path / "report.jsonl"
    storescp.clear()
    with harmed(storescp.listener.port, case) as port:
        arguments = "127.0.0.1", port, *(file.path for file in files), *case.options, "--report", report
        status = run(case, *arguments, *(("--retry-wait", "0.01") if case.retry else ()))
    storescp.verify_working()
    verify(case, status, files, storescp.files(), outcomes(report))


def outcomes(report: Path) -> dict[str, str]:
    """Return the outcome that storescu reports for each file."""
    import json

    # The last line is the summary.
    rows = [json.loads(line) for line in report.read_text().splitlines()[:-1]]
    found = {row["file"]: row["outcome"] for row in rows}
    assert len(found) == len(rows)
    return found


def verify(
    case: Case, status: int, files: Sequence[Part10File], kept: Sequence[Part10File], said: dict[str, str]
) -> None:
    """Check that what was reported is true of what is kept, and is as much as could be known."""
    sent, there = {str(file.path): hashes([file])[0] for file in files}, hashes(kept)
    assert sorted(said) == sorted(sent)
    assert len(there) == len(set(there))
    assert set(there) <= set(sent.values())
    for path, outcome in said.items():
        assert outcome in ("stored", "unknown", "unsent")
        if outcome != "unknown":
            assert (sent[path] in there) == (outcome == "stored"), path
    stored = [path for path, outcome in said.items() if outcome == "stored"]
    if case.retry:
        assert (status, len(stored)) == (SUCCESS, len(files))
    elif case.pdus:
        # The rest goes on another association: only what was under way is unknown. Where nothing had been sent yet, nothing is.
        answered = [str(file.path) for file in files[: case.passed.count("R")]]
        assert stored[: len(answered)] == answered
        if "A" not in case.passed:
            assert (status, stored) == (NO_ASSOCIATION, [])
        else:
            assert len(stored) >= len(files) - 1 or set(said.values()) == {"unsent"}
            assert status == (SUCCESS if len(stored) == len(files) else SHORTFALL)
    elif len(stored) < len(files):
        assert status in (NO_ASSOCIATION, SHORTFALL)


@pytest.mark.thorough
def test_the_conversations_are_as_long_as_the_cases_have_them(
    echoscp: Target, storescp: Target, instances: dict[int, list[Part10File]]
) -> None:
    with ExitStack() as ends:
        for scp, pdus, arguments in (
            (echoscp, ECHO, ("echoscu",)),
            (echoscp, ECHO_3, ("echoscu", "--repeat", 3)),
            (storescp, STORE, ("storescu", *ONE_BY_ONE, *(file.path for file in instances[1]))),
        ):
            storescp.clear()
            proxy = Proxy(scp.listener.port, faults=iter([Fault("RST", len(pdus) + 1)]))
            port = ends.enter_context(proxy)
            tool, *rest = arguments
            assert run_here(str(tool), "127.0.0.1", port, *rest) == (0, "", "")
            assert proxy.cuts == []

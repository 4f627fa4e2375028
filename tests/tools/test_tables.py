"""Tables: for scripts in a pipe, for people on a terminal."""

from __future__ import annotations

import io
import os
import re
import sys
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dimse import uids
from dimse.instances import InstanceFile
from dimse.sending.journal import Entry
from dimse.settings import ProposedContext
from dimse.tools import tables
from tests.tools import running
from tests.tools.running import Instance
from tests.tools.terminal import Terminal


def instances(folder: Path) -> list[InstanceFile]:
    """Return two files, one with a name that a table cannot hold as it is."""
    return [
        InstanceFile.check(str(Instance(uid, sop_class, rest=b"").write(folder / name)))
        for uid, sop_class, name in (
            ("1.2.1", uids.CTImageStorage, "1 [red].dcm"),
            ("1.2.2", uids.MRImageStorage, "2\n.dcm"),
        )
    ]


PROPOSALS = [
    [
        ProposedContext(uids.CTImageStorage, (uids.JPEG2000Lossless,)),
        ProposedContext(uids.CTImageStorage, (uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian)),
    ],
    [ProposedContext("1.2.3.4", (uids.ImplicitVRLittleEndian,))],
]


def entry(uid: str, state: str, status: int | None = None, *, host: str = "pacs", path: str = "/a/1.dcm") -> Entry:
    return Entry(host, 104, "ARCHIVE", uid, uids.ExplicitVRLittleEndian, 1000, 0, path, state, status, 2, 0.0)


ENTRIES = [
    entry("1.2.1", "acked", 0),
    entry("1.2.2", "acked", 0xB000),
    entry("1.2.3", "refused", 0xA700, path="/a/b c.dcm"),
    entry("1.2.4", "unknown"),
]


def status(entries: Sequence[Entry], *, every: bool = False) -> list[str]:
    """Return the lines that the status of a journal prints to a pipe."""
    out = io.StringIO()
    tables.journal_status(lambda: entries, every=every, file=out)
    return out.getvalue().splitlines()


# ---- in a pipe


def test_a_dry_run_says_what_would_be_proposed_and_sent(tmp_path: Path) -> None:
    out = io.StringIO()
    tables.dry_run(instances(tmp_path), PROPOSALS, out)
    assert out.getvalue().splitlines() == [
        "bytes  SOP class         transfer syntax            file",
        f"   48  CT Image Storage  Explicit VR Little Endian  {tmp_path}/1 [red].dcm",
        f"   48  MR Image Storage  Explicit VR Little Endian  {tmp_path}/2\\n.dcm",
        "",
        "association  context ID  abstract syntax   transfer syntaxes",
        "          1           1  CT Image Storage  JPEG 2000 Image Compression (Lossless Only)",
        "          1           3  CT Image Storage  Explicit VR Little Endian; Implicit VR Little Endian",
        "          2           1  1.2.3.4           Implicit VR Little Endian",
        "",
        "2 files, 96 bytes, 2 associations",
    ]


def test_a_dry_run_of_nothing_says_so() -> None:
    out = io.StringIO()
    tables.dry_run([], [], out)
    assert out.getvalue().splitlines()[-1] == "0 files, 0 bytes, 0 associations"


def test_the_status_of_a_journal_is_sums_and_what_is_not_acknowledged() -> None:
    assert status(ENTRIES) == [
        "peer      called AE title  state    instances  bytes",
        "pacs:104  ARCHIVE          acked            2   2000",
        "pacs:104  ARCHIVE          refused          1   1000",
        "pacs:104  ARCHIVE          unknown          1   1000",
        "",
        "state    status  attempts  SOP instance UID  file",
        "refused  0xA700         2  1.2.3             /a/b c.dcm",
        "unknown  -              2  1.2.4             /a/1.dcm",
    ]


def test_every_instance_is_listed_if_asked_for() -> None:
    listed = status(ENTRIES, every=True)[-4:]
    assert [line.split()[:2] for line in listed] == [
        ["acked", "0x0000"],
        ["acked", "0xB000"],
        ["refused", "0xA700"],
        ["unknown", "-"],
    ]


def test_where_all_is_acknowledged_there_is_no_list() -> None:
    assert len(status(ENTRIES[:2])) == 2


def test_several_peers_are_told_apart() -> None:
    lines = status([*ENTRIES, entry("1.2.5", "queued", host="::1")])
    assert lines[1].split() == ["[::1]:104", "ARCHIVE", "queued", "1", "1000"]
    assert lines[-1].split() == ["[::1]:104", "ARCHIVE", "queued", "-", "2", "1.2.5", "/a/1.dcm"]


def test_in_a_pipe_nothing_is_cut_and_columns_keep_apart() -> None:
    out = io.StringIO()
    rows = [(str(number), "x" * 300, "", "") for number in range(tables.LOOKED_AT)]
    tables.print_table(("a", "b", "c", "d"), iter([*rows, ("wider than all before", "y", "\x1b[31m", "z" * 500)]), out)
    lines = out.getvalue().splitlines()
    assert [re.split(" {2,}", line) for line in lines] == [
        ["a", "b", "c", "d"],
        *([str(number), "x" * 300, "-", "-"] for number in range(tables.LOOKED_AT)),
        ["wider than all before", "y", "\\x1b[31m", "z" * 500],
    ]
    assert not [line for line in lines if line.endswith(" ")]


@pytest.mark.thorough
def test_a_hundred_thousand_rows_take_no_memory_and_no_time() -> None:
    rows = ((number, "CT Image Storage", f"/data/study/{number}.dcm") for number in range(100_000))
    started = time.process_time()
    tracemalloc.start()
    try:
        with open(os.devnull, "w") as out:
            tables.print_table((">bytes", "SOP class", "file"), rows, out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert time.process_time() - started < 5  # most of it is the tracing


def test_rows_are_not_held_until_the_last_one() -> None:
    out = io.StringIO()

    def rows() -> Iterator[tuple[int]]:
        for number in range(3 * tables.LOOKED_AT):
            assert number < 2 * tables.LOOKED_AT or out.getvalue()
            yield (number,)

    tables.print_table((">n",), rows(), out)
    assert len(out.getvalue().splitlines()) == 3 * tables.LOOKED_AT + 1


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = (
        "import itertools, sys; from dimse.tools import tables; from tests.tools.test_tables import entry\n"
        "tables.journal_status(lambda: [entry('1.2', 'unknown')] * 10_000, every=False); sys.stderr.write('done')\n"
        "import os; os._exit(0)"
    )
    process = running.run(
        "bash", "-c", '"$0" -c "$1" | head -n 1', sys.executable, script, cwd=Path(__file__).parents[2]
    )
    assert (process.returncode, process.stderr) == (0, "done")
    assert process.stdout.startswith("peer ")


# ---- on a terminal

SHOW = """
import sys
from dimse.tools import tables
heads, cells = sys.argv[1:]
tables.print_table(heads.split("|"), [cells.split("|")] * 2, sys.stdout)
"""


def shown(columns: int, heads: str, cells: str, **environment: str) -> Terminal:
    """Print a table on a terminal; return the terminal once it is printed."""
    with Terminal("-c", SHOW, heads, cells, columns=columns, stdout=True, environment=environment) as terminal:
        assert terminal.end() == 0
    return terminal


def test_on_a_terminal_there_is_a_rule_below_the_head() -> None:
    terminal = shown(80, "state|file", "unknown|/a/[red]1.dcm", NO_COLOR="1")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in terminal.screen]
    assert lines == ["state     file", "─" * len("unknown   /a/[red]1.dcm"), *["unknown   /a/[red]1.dcm"] * 2, ""]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal_a_wide_cell_is_broken_within_its_column(columns: int) -> None:
    terminal = shown(columns, "SOP instance UID|file", f"{'1.' * 32}|{'/folder' * 20}/1.dcm")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal.screen]
    assert max(map(len, lines)) <= columns
    assert "/1.dcm" in "".join(lines).replace(" ", "").replace("\n", "")
    assert "…" not in terminal.output


def test_no_colour_where_the_user_wants_none() -> None:
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", shown(80, "a|b", "1|2", NO_COLOR="1").output)

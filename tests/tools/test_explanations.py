"""Every line at E: and W: has an explanation, and `dimse explain` and the tools give it."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path

import pytest

from dimse.tools import TOOLS, json_log
from dimse.tools.explanations import ENTRIES, SUBJECTS, codes_of, explanation_of, explanations_of, normalized
from dimse.tools.explanations.entry import fit
from scripts import make_troubleshooting
from tests.tools import running
from tests.tools.messages import LEAST_LETTERS, code_of, messages
from tests.tools.terminal import Terminal

FOUND, BARE = messages()
CODES = Path(__file__).parent / "codes.txt"

# Modules with calls that pass on a text of another place: an error, a line of the meanings, or the words of the operating system.
PASSED_ON = """
    archive/events/entry.py archive/file_store.py archive/folders.py archive/index/arriving.py archive/index/header.py
    archive/index/reading.py archive/index/scanning.py archive/index/upkeep.py archive/stored.py
    association/answering.py association/establishing.py
    association/inbox.py association/receiver.py data_set/keys.py data_set/source.py data_set/steps.py data_set/transcode.py
    data_set/writer.py errors.py instances/__init__.py logs/notices.py matching/query.py meanings.py message/status.py
    data_set/elements.py retrieving/arrivals.py retrieving/job.py tools/certificate.py tools/journal_export.py
    tools/retrieve.py tools/retry_failed.py tools/summarizing.py
    sending/file_sets.py sending/finding.py sending/job.py sending/skipped.py sending/zipped.py serving/admission.py
    serving/loop.py serving/reception.py serving/visitor_reports.py serving/watchdog.py
    services/commitment_information.py instances/memory.py settings/remotes.py tools/progress.py tools/resolving.py
    tools/retrieve_studies.py
    settings/arguments.py settings/tls.py tools/command_line.py
    tools/commitment.py tools/echoscu.py tools/getscu.py tools/identity.py tools/listening.py tools/log_setup.py tools/options.py
    tools/overview.py tools/passwd.py tools/pending.py tools/query_options.py tools/querying.py tools/ready.py tools/report.py
    tools/retrieve_options.py tools/retrieving.py tools/sender.py tools/splitting.py tools/storescu.py tools/wording.py
    tools/archive.py tools/archive_changes.py tools/archive_export.py tools/archive_import.py tools/archive_listing.py
    tools/archive_places.py tools/archive_upkeep.py archive/index/importing.py
    tools/qr_configuration.py tools/qr_peers.py tools/workers.py
    transport/base.py transport/tls.py transport/tls_faults.py upper_layer/negotiation.py upper_layer/provider.py
"""
# The words of the operating system, and a line that is a number and a meaning.
NOT_OURS = frozenset({"E219", "E260", "E310", "E311", "E312", "E313", "E314", "E315"})

# Lines that scripts look for, with the code that is to explain each.
FIXED = {
    "Association request failed: unable to connect to remote": "E001",
    "TCP Initialisation Error: Connection refused": "E002",
    "TCP Initialisation Error: Name or service not known": "E004",
    "Association request failed: the peer does not speak DICOM (it sent 'HTTP/1.1 400')": "E007",
    "Peer closed the connection without an answer": "E009",
    "Peer: pacs:104, called ANY-SCP, calling ECHOSCU": "E011",
    "Association Rejected": "E020",
    "Result: Rejected Permanent, Source: Service User": "E020",
    "Reason: Called AE title not recognised": "E021",
    "Association Aborted": "E025",
    "No accepted presentation contexts": "E026",
    "No presentation context for 'CT Image Storage' has been accepted by the peer with 'RLE Lossless' transfer syntax": "E027",
    "ACSE timeout reached while waiting for response to association request": "E029",
    "DIMSE timeout reached while waiting for message response": "E031",
    "Network timeout reached": "E032",
    "Connection closed while waiting for DIMSE message": "E033",
    "Received an invalid A-ASSOCIATE response from the peer": "E036",
    "Received an invalid C-STORE response from the peer": "E037",
    "Cannot access path: no-such-file.dcm: no such file or directory": "E100",
    "Bad DICOM file: a.dcm: cut short: (0010,0010) at offset 12 is not complete": "E103",
    "Bad DICOM file: a.dcm: something that is not in the table": "E101",
    "Store failed: a.dcm: 0xA700 - Failure: Refused: Out of Resources": "E131",
    "Store failed: a.dcm: 0xC123 - Failure: Error: Cannot Understand": "E132",
    "Store failed: a.dcm: it is unknown whether the peer has it": "E135",
    "No suitable DICOM files found": "E138",
    "12 files skipped: not DICOM": "W102",
    "2 subfolders not read: use -r to send what is in subfolders": "W103",
    "10.0.0.1:4242: rejected CT1 -> PACS: the called AE title 'PACS' is not ours, which is 'STORESCP'": "W210",
    "cannot store 1.2.3 in /incoming: No space left on device": "E310",
    "cannot listen on 0.0.0.0:104: Permission denied": "E311",
}


# ---- the table


def test_every_message_in_the_source_has_an_explanation() -> None:
    """`python -m tests.tools.messages` prints each message with its code."""
    missing = [f"{found.place}: {found.template}" for found in FOUND if not code_of(found)]
    assert missing == [], "add these to a module of dimse.tools.explanations"
    assert len(FOUND) > 600


def test_a_message_without_words_of_its_own_passes_on_a_text_that_is_explained() -> None:
    assert [place for place in BARE if place.partition(":")[0] not in PASSED_ON.split()] == []


def test_every_explanation_is_of_a_message_in_the_source() -> None:
    stale = [
        f"{entry.code}: {template}"
        for entry in ENTRIES.values()
        if entry.code not in NOT_OURS
        for template in entry.templates
        if not any(fit(template, each.template) or fit(each.template, template) > LEAST_LETTERS for each in FOUND)
    ]
    assert stale == []


def test_a_code_stands_for_one_explanation() -> None:
    codes = [entry.code for subject in SUBJECTS for entry in subject.entries]
    assert len(codes) == len(set(codes)) == len(ENTRIES)
    assert [code for code in codes if not re.fullmatch(r"[EW]\d{3}", code)] == []


def test_a_code_keeps_its_meaning() -> None:
    """`codes.txt` has every code that was ever given, with a text that it explains.

    A line must be added for a new code. The line of a code that is given up stays, and its text begins with "retired:".
    """
    given = dict(line.split(maxsplit=1) for line in CODES.read_text(encoding="utf-8").splitlines())
    retired = {code for code, text in given.items() if text.startswith("retired:")}
    missing = [f"{code} {entry.templates[0]}" for code, entry in ENTRIES.items() if code not in given]
    assert missing == [], f"add these lines to {CODES}"
    assert given.keys() - retired - ENTRIES.keys() == set(), "a code was removed without a note"
    assert retired & ENTRIES.keys() == set(), "a code is used again"
    changed = {
        code: text for code, text in given.items() if code not in retired and text not in ENTRIES[code].templates
    }
    assert changed == {}, "a code has another meaning, or its text was reworded"
    assert list(given) == sorted(given)


def test_a_template_belongs_to_one_explanation() -> None:
    templates = [template for entry in ENTRIES.values() for template in entry.templates]
    assert sorted(templates) == sorted(set(templates))


@pytest.mark.parametrize("code", ENTRIES)
def test_an_explanation_has_cause_and_cure_in_few_sentences(code: str) -> None:
    entry = ENTRIES[code]
    for text in (entry.cause, entry.cure):
        assert text[0].isupper() or text[0] == "`"
        assert text[-1] == "."
    assert 2 <= len(re.findall(r"[.:;](?: |$)", f"{entry.cause} {entry.cure}")) <= 10


def test_the_options_that_explanations_name_exist() -> None:
    helps = "".join(running.tool(tool, "--help").stdout for tool in TOOLS)
    known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", helps))
    spans = [span for entry in ENTRIES.values() for span in re.findall("`([^`]*)`", f"{entry.cause} {entry.cure}")]
    ours = [span for span in spans if span.removeprefix("dimse ").startswith(("-", *TOOLS))]
    assert len(ours) > 50
    assert {option for span in ours for option in re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", span)} - known == set()


@pytest.mark.parametrize("line", FIXED)
def test_a_line_finds_its_explanation(line: str) -> None:
    found = explanation_of(f"E: {line}")
    assert found is not None
    assert found.code == FIXED[line]


@pytest.mark.parametrize(
    ("template", "line", "score"),
    [
        ("no data set", "C-STORE: no data set", 11),
        ("no data set", "No data set", 11),
        ("{name} was not sent: {why}", "1.2.3 was not sent: why", 15),
        ("no data set", "piano data set", 0),
        ("{a} is {b}, not {c}", "it, not x, is y", 0),
        ("is a folder", "this is a folder", 11),
    ],
)
def test_a_template_fits_where_its_fixed_parts_stand_in_order(template: str, line: str, score: int) -> None:
    assert fit(template, line) == score


def test_the_codes_of_a_run_are_those_that_say_most() -> None:
    lines = ["Association Rejected", "Reason: Calling AE title not recognised", "Peer: a:1, called B, calling C"]
    assert codes_of(lines) == ["E022"]
    assert codes_of(lines[:1]) == ["E020"]
    assert codes_of(["hello"]) == []
    several = ["Network timeout reached", "No accepted presentation contexts", "Nothing matched", "Association Aborted"]
    assert codes_of([*several, *several]) == ["E032", "E026", "E256"]


def test_a_part_of_a_line_is_found_too() -> None:
    found = explanations_of("Store failed: a.dcm: 0xA700 - Failure: Refused: Out of Resources")
    assert [entry.code for entry in found][:2] == ["E131", "E130"]


@pytest.mark.parametrize("word", ["E017", "e17", "17", "dimse-e017", "DIMSE-E017", " E0017 "])
def test_a_code_may_be_written_in_several_ways(word: str) -> None:
    assert normalized(word) == "E017"


@pytest.mark.parametrize("word", ["", "E", "X17", "E-17", "E١٧", "E17b", "Error", "123456"])
def test_other_words_are_not_codes(word: str) -> None:
    assert normalized(word) == ""


def test_the_page_is_that_of_the_package() -> None:
    """`python scripts/make_troubleshooting.py` writes it."""
    text = make_troubleshooting.PAGE.read_text(encoding="utf-8")
    assert make_troubleshooting.page() == text
    anchors = {f"#{heading.lower()}" for heading in re.findall(r"^### (DIMSE-\w+)$", text, re.MULTILINE)}
    assert anchors == set(re.findall(r"\]\((#dimse-\w+)\)", text))
    assert len(anchors) == len(ENTRIES)


# ---- dimse explain


def test_explain_prints_cause_and_cure_of_a_code() -> None:
    done = running.tool("explain", "e2", env=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("DIMSE-E002\n\n    TCP Initialisation Error: Connection refused\n\nWhat it means: ")
    assert "\n\nWhat to do: " in done.stdout


def test_explain_takes_a_line_as_it_was_printed() -> None:
    for words in (
        ["E: TCP Initialisation Error: Connection refused"],
        ["TCP", "Initialisation", "Error:", "Connection", "refused"],
    ):
        assert running.tool("explain", *words).stdout.startswith("DIMSE-E002\n")
    usage = running.tool("explain", "storescu: error: --status needs --journal: it prints what is in it")
    assert usage.stdout.startswith("DIMSE-E326\n")


def test_explain_takes_several_codes() -> None:
    assert re.findall(r"^DIMSE-\w+$", running.tool("explain", "E001", "w102").stdout, re.MULTILINE) == [
        "DIMSE-E001",
        "DIMSE-W102",
    ]


def test_explain_takes_the_last_line_of_a_tool() -> None:
    done = running.tool("explain", "E: See DIMSE-E001, DIMSE-E002 (dimse explain E001 E002)")
    assert re.findall(r"^DIMSE-\w+$", done.stdout, re.MULTILINE) == ["DIMSE-E001", "DIMSE-E002"]


@pytest.mark.parametrize("word", ["0xA700", "a700", "A700H"])
def test_explain_takes_a_status(word: str) -> None:
    said = running.tool("explain", word).stdout
    assert said.startswith("0xA700\n\n    C-STORE  Failure: Refused: Out of Resources\n    C-FIND ")
    assert "\nDIMSE-E131\n" in said


def test_a_status_without_an_explanation_has_its_meaning() -> None:
    assert running.tool("explain", "0xA801").stdout.endswith(
        "\n    C-MOVE   Failure: Refused: Move Destination unknown\n"
    )


def test_explain_names_codes_that_are_near_an_unknown_one() -> None:
    done = running.tool("explain", "E012")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dimse explain: there is no code E012; near it are E009, E010, E011\n"


def test_explain_refuses_a_line_of_another_program() -> None:
    done = running.tool("explain", "hello\x1b[2J world")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "\x1b" not in done.stderr


def test_explain_alone_lists_subjects_and_codes() -> None:
    words = running.tool("explain").stdout
    assert all(subject.title in words for subject in SUBJECTS)
    assert set(re.findall(r"\b[EW]\d{3}\b", words)) == set(ENTRIES)


def test_explain_lists_every_line() -> None:
    listed = running.tool("explain", "--list").stdout.splitlines()
    assert len(listed) == sum(len(entry.templates) for entry in ENTRIES.values())
    assert "E002  TCP Initialisation Error: Connection refused" in listed


def test_explain_fits_the_terminal() -> None:
    words = running.tool("explain", "E009", env={"PATH": "", "COLUMNS": "50"}).stdout
    _, _, prose = words.partition("What it means")
    assert max(map(len, prose.splitlines())) <= 50


# ---- the last line of a tool


def failed(*options: str) -> list[str]:
    """Return the lines of an echoscu that cannot connect."""
    done = running.tool("echoscu", *options, "127.0.0.1", 1)
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_a_tool_that_failed_names_the_code_at_the_end_with_v() -> None:
    for option in ("-v", "-d"):
        lines = failed(option)
        assert lines[-1] == "E: See DIMSE-E002 (dimse explain E002)"
        assert lines[-2].startswith("E: Peer: ") or option == "-d"


def test_the_lines_in_a_pipe_are_as_they_are_without_codes() -> None:
    assert [line[:12] for line in failed()] == ["E: Associati", "E: TCP Initi", "E: Peer: 127"]
    assert failed("-q") == []


def test_a_log_in_json_has_the_code_in_each_record() -> None:
    records = [json.loads(line) for line in failed("--log-format", "json", "-v")]
    codes = [record.get("code") for record in records if record["level"] == "ERROR"]
    assert codes == ["DIMSE-E001", "DIMSE-E002", "DIMSE-E011"]
    assert all("code" not in record for record in records if record["level"] == "INFO")


def test_a_record_of_another_text_has_no_code() -> None:
    record = logging.LogRecord("other", logging.ERROR, "", 0, "hello", (), None)
    assert "code" not in json.loads(json_log.Formatter().format(record))


@pytest.mark.parametrize(("options", "count"), [((), 1), (("-q",), 0)])
def test_a_person_at_a_terminal_sees_the_code(options: tuple[str, ...], count: int) -> None:
    with Terminal("-m", "dimse", "echoscu", *options, "127.0.0.1", 1) as terminal:
        assert terminal.end() == 1
        assert terminal.output.count("E: See DIMSE-E002 (dimse explain E002)\r\n") == count


def test_a_tool_that_succeeds_loads_no_explanation(tmp_path: Path) -> None:
    script = "import sys; from dimse.__main__ import main; main(); print(*sys.modules)"
    with running.Receiver() as receiver:
        done = running.run(sys.executable, "-c", script, "echoscu", "-v", "127.0.0.1", str(receiver.port))
    assert "dimse.tools.log_setup" in done.stdout.split()
    assert "dimse.tools.explanations" not in done.stdout

"""findscu, run as a user does: what it asks, what it prints in each format, and the exit status for each ending."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from datetime import date
from itertools import count
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from pydicom import dcmread

import dimse
from dimse import uids
from dimse.media import part10
from dimse.message.status import Status
from dimse.testing import QueryRetrieveSCP
from dimse.tools.query_dates import date_range
from tests.interop.evil_query import BEHAVIOURS, serve
from tests.tools import running

STUDIES: list[dict[str, Any]] = [
    {
        "PatientID": f"P{number}",
        "PatientName": name,
        "StudyInstanceUID": f"1.2.{number}",
        "SeriesInstanceUID": f"1.2.{number}.1",
        "SOPInstanceUID": f"1.2.{number}.1.1",
        "SOPClassUID": uids.CTImageStorage,
        "StudyDate": f"2024010{number}",
        "Modality": modality,
        "StudyDescription": description,
        "SeriesNumber": 12 - number,
    }
    for number, (name, modality, description) in enumerate(
        [("DOE^JANE", "CT", "=SUM(A1)"), ("DOE^JOHN", "MR", "one\x1b[31m"), ("MÜLLER^JÖRG", "CT", "a, b")], 1
    )
]


@pytest.fixture
def scp() -> Iterator[QueryRetrieveSCP]:
    with QueryRetrieveSCP(STUDIES) as archive:
        yield archive


def findscu(scp: Any, *options: object, **more: Any) -> CompletedProcess[str]:
    return running.tool("findscu", "127.0.0.1", scp.port, *options, **more)


# --- what is asked ---


ASKED: list[tuple[list[str], str, dict[str, str]]] = [
    (["-k", "PatientName=DOE*"], "PATIENT", {"PatientName": "DOE*"}),
    (["-S", "-k", "PatientName=DOE*"], "STUDY", {"PatientName": "DOE*"}),
    (
        ["-r", "StudyInstanceUID,StudyDate", "--study-date", "2024-01-01..2024-01-02"],
        "STUDY",
        {"StudyDate": "20240101-20240102"},
    ),
    (["--modality", "CT", "-r", "StudyInstanceUID"], "STUDY", {"ModalitiesInStudy": "CT"}),
    (["--modality", "CT", "-r", "SeriesInstanceUID"], "SERIES", {"Modality": "CT"}),
    (["-L", "instance", "-k", "StudyInstanceUID=1.2"], "IMAGE", {"StudyInstanceUID": "1.2"}),
    (["--patient-id", "P1", "-k", "PatientID=P2"], "PATIENT", {"PatientID": "P2"}),
    (["-k", "0010,0010=DOE"], "PATIENT", {"PatientName": "DOE"}),
    (["-r", "@image"], "IMAGE", {"InstanceNumber": ""}),
]


@pytest.mark.parametrize(("options", "level", "keys"), ASKED)
def test_options_become_keys_and_a_level(
    scp: QueryRetrieveSCP, options: list[str], level: str, keys: dict[str, str]
) -> None:
    assert findscu(scp, "-q", *options).returncode == 0
    [request] = scp.requests
    assert request.level == level
    assert {keyword: request.identifier.text(keyword) for keyword in keys} == keys


def test_keys_are_read_from_files(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    # An editor on Windows puts a byte order mark before the text.
    names.write_text(
        "\ufeff" + json.dumps([{"00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]}} for name in ("DOE*", "M*")])
    )
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(bytes.fromhex("10001000") + b"PN\4\0ROE*")
    whole = tmp_path / "whole.dcm"
    meta = part10.FileMeta("1.2", "1.3", uids.ImplicitVRLittleEndian, "1.4")
    whole.write_bytes(part10.encode(meta) + bytes.fromhex("1000100004000000") + b"FOE*")
    done = findscu(scp, "-k", "PatientID=", "-f", names, bare, whole, "--format", "uid")
    assert (done.returncode, done.stdout, done.stderr) == (0, "P1\nP2\nP3\n", "")
    assert [request.identifier.text("PatientName") for request in scp.requests] == ["DOE*", "M*", "ROE*", "FOE*"]
    piped = running.run(
        "sh", "-c", f"cat {names} | {' '.join(running.command('findscu', '127.0.0.1', scp.port, '-f', '-', '--count'))}"
    )
    assert piped.stdout == "3\n"


UNUSABLE = [
    (["-f", "no-such-file"], 1, "E: Cannot read input file no-such-file: No such file or directory"),
    (["-k", "NoSuchKeyword=1"], 1, "E: Exception raised trying to parse the supplied keywords: 'NoSuchKeyword=1'"),
    (["-f", os.devnull], 1, f"E: Cannot read input file {os.devnull}: it holds no data set"),
    ([], 2, "-f and/or -k must be specified"),
    (["-k", "PatientID", "--sort", "PatientID"], 2, "--sort goes with --format table or csv"),
    (["--study-date", "soon"], 2, "'soon' is not a date"),
    (["-W", "-k", "PatientID", "--format", "uid"], 1, "has no unique key"),
    (["-S", "-L", "patient", "-k", "PatientID"], 1, "'PATIENT' is not a level of the information model 'study'"),
    (["-M", "nonsense", "-k", "PatientID"], 2, "'nonsense' is not an information model"),
    (["-W", "-k", "PatientID", "--empty-values"], 1, "has no feature 'empty_values'"),
]


@pytest.mark.parametrize(("options", "status", "words"), UNUSABLE)
def test_what_cannot_be_asked_is_told_before_a_connection(options: list[str], status: int, words: str) -> None:
    done = running.tool("findscu", "127.0.0.1", 1, *options)
    assert done.returncode == status
    assert words in done.stderr


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("today", "20240301"),
        ("yesterday", "20240229"),
        ("last-7-days", "20240224-20240301"),
        ("this-month", "20240301-20240301"),
        ("2024-01-31", "20240131"),
        ("20240131", "20240131"),
        ("2024-01-01..2024-03-31", "20240101-20240331"),
        ("20240101-", "20240101-"),
        ("..2024-01-01", "-20240101"),
        ('""', '""'),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, key: str) -> None:
    assert date_range(text, date(2024, 3, 1)) == key


@pytest.mark.parametrize("text", ["2024-13-01", "20240230", "..", "-", "2024-02-01..2024-01-01", "last-0-days", "2024"])
def test_what_is_no_date_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"date|range"):
        date_range(text, date(2024, 3, 1))


# --- what is printed ---


KEYS = ("-S", "-r", "StudyInstanceUID,PatientName,StudyDescription", "--patient-name", "*")


def test_the_log_shows_the_query_and_each_match(scp: QueryRetrieveSCP) -> None:
    done = findscu(scp, "-k", "PatientName=DOE*", "-k", "PatientID=P1")
    assert (done.returncode, done.stdout) == (0, "")
    lines = [line.removeprefix("I: ") for line in done.stderr.splitlines()]
    for line in (
        "Sending Find Request: MsgID 1",
        "# Request Identifier",
        "Find SCP Response: 1 - 0xFF00 (Pending)",
        "# Response Identifier",
        f"(0010,0010) PN {'[DOE^JANE]':<40} # 1 PatientName",
        "Find SCP Result: 0x0000 (Success)",
        "Releasing Association",
    ):
        assert line in lines
    assert "Query/Retrieve Level: PATIENT, as the keys suggest" in lines


def test_each_format_has_every_match_and_nothing_that_a_terminal_obeys(scp: QueryRetrieveSCP) -> None:
    printed = {form: findscu(scp, *KEYS, "--format", form) for form in ("table", "json", "jsonl", "csv", "uid")}
    for done in printed.values():
        assert (done.returncode, done.stderr) == (0, "")
        assert "\x1b" not in done.stdout
    array = json.loads(printed["json"].stdout)
    assert array == [json.loads(line) for line in printed["jsonl"].stdout.splitlines()]
    assert [found["0020000D"]["Value"] for found in array] == [["1.2.1"], ["1.2.2"], ["1.2.3"]]
    assert array[2]["00100010"]["Value"] == [{"Alphabetic": "MÜLLER^JÖRG"}]
    rows = list(csv.reader(io.StringIO(printed["csv"].stdout)))
    assert rows[0] == ["StudyInstanceUID", "PatientName", "StudyDescription"]
    assert [row[2] for row in rows[1:]] == ["'=SUM(A1)", "one\ufffd[31m", "a, b"]
    assert printed["uid"].stdout == "1.2.1\n1.2.2\n1.2.3\n"
    assert printed["table"].stdout.splitlines()[3].split() == ["1.2.3", "MÜLLER^JÖRG", "a,", "b"]


def test_rows_are_sorted_and_columns_chosen(scp: QueryRetrieveSCP) -> None:
    options = (
        "-L",
        "series",
        "-r",
        "SeriesInstanceUID,SeriesNumber",
        "--format",
        "csv",
        "--columns",
        "SeriesNumber,SeriesInstanceUID",
    )
    done = findscu(scp, *options, "--sort", "SeriesNumber")
    assert done.stdout.splitlines() == ["SeriesNumber,SeriesInstanceUID", "9,1.2.3.1", "10,1.2.2.1", "11,1.2.1.1"]


def test_matches_are_counted_limited_and_written(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    (tmp_path / "rsp000002.dcm").write_bytes(b"mine")
    assert findscu(scp, *KEYS, "--count").stdout == "3\n"
    done = findscu(scp, *KEYS, "--limit", 2, "-w", "--extract-json", "all.json", "--format", "uid", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1.2.1\n1.2.2\n")
    assert "W: ./rsp000002.dcm is there already" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "all.json",
        "rsp000001.dcm",
        "rsp000002.dcm",
        "rsp000003.dcm",
    ]
    assert (tmp_path / "rsp000002.dcm").read_bytes() == b"mine"
    written = dcmread(tmp_path / "rsp000003.dcm")
    assert written.file_meta.MediaStorageSOPClassUID == uids.StudyRootQueryRetrieveInformationModelFind
    assert str(written.PatientName) == "DOE^JOHN"
    assert len(json.loads((tmp_path / "all.json").read_text())) == 2


def test_files_that_cannot_be_written_are_a_shortfall(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    done = findscu(scp, *KEYS, "-w", "-od", tmp_path / "missing", "--format", "uid")
    assert (done.returncode, done.stdout) == (3, "1.2.1\n1.2.2\n1.2.3\n")
    assert "E: A match cannot be written" in done.stderr
    assert findscu(scp, *KEYS, "--extract-json", tmp_path / "missing" / "all.json").returncode == 1


def test_a_worklist_is_asked_by_keys_in_a_sequence() -> None:
    steps = [
        {
            "PatientName": name,
            "ScheduledProcedureStepSequence": [{"Modality": modality, "ScheduledProcedureStepStartDate": day}],
        }
        for name, modality, day in (("A", "CT", "20240101"), ("B", "MR", "20240101"), ("C", "CT", "20240102"))
    ]
    step = "ScheduledProcedureStepSequence[0]"
    with QueryRetrieveSCP(steps) as scp:
        keys = (
            "-r",
            "@worklist",
            "-k",
            f"{step}.Modality=CT",
            "-k",
            f"{step}.ScheduledProcedureStepStartDate=20240102-",
        )
        done = findscu(scp, "-W", *keys, "--format", "jsonl", "--fuzzy-names")
    [found] = map(json.loads, done.stdout.splitlines())
    assert found["00100010"]["Value"] == [{"Alphabetic": "C"}]
    assert found["00400100"]["Value"][0]["00080060"]["Value"] == ["CT"]
    assert (done.returncode, scp.requests[0].level, scp.requests[0].model.name) == (0, "", "worklist")


# --- how it ends ---


@pytest.mark.parametrize(
    ("final", "category"),
    [(Status(0xA700, comment="too many\x1b[31m"), "Failure"), (Status(0xB001), "Warning"), (Status(0x1234), "Unknown")],
)
def test_a_result_that_is_no_success_is_exit_status_3(final: Status, category: str) -> None:
    with QueryRetrieveSCP(STUDIES, [final]) as scp:
        done = findscu(scp, *KEYS, "--split", "never")
    assert done.returncode == 3
    assert f"I: Find SCP Result: 0x{int(final):04X} ({category})" in done.stderr
    assert f"E: 0x{int(final):04X}: " in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.count("Find SCP Response") == 3


def test_no_match_is_a_success_unless_that_is_to_fail(scp: QueryRetrieveSCP) -> None:
    assert findscu(scp, "-k", "PatientID=unknown").returncode == 0
    done = findscu(scp, "-k", "PatientID=unknown", "--fail-empty", "--format", "uid")
    assert (done.returncode, done.stderr) == (3, "E: Nothing matched\n")


def test_a_level_is_left_out_where_the_user_says_so(scp: QueryRetrieveSCP) -> None:
    done = findscu(scp, "-k", "PatientID=P1", "--no-infer")
    assert done.returncode == 3
    assert "E: Offending elements: QueryRetrieveLevel" in done.stderr


def test_a_feature_that_is_refused_is_told_and_one_that_matters_ends_the_query(scp: QueryRetrieveSCP) -> None:
    done = findscu(scp, "-k", "PatientID=P1", "--fuzzy-names", "--format", "uid")
    assert (done.returncode, done.stdout) == (0, "P1\n")
    assert done.stderr == "W: the peer did not accept the feature fuzzy names\n"
    done = findscu(scp, "-k", 'PatientID=""', "--empty-values", "--format", "uid")
    assert (done.returncode, done.stdout) == (3, "")
    assert len(scp.requests) == 1


def test_a_cancelled_query_is_a_success() -> None:
    with serve("a_million_matches", "find") as scp:
        done = findscu(scp, "-k", "StudyInstanceUID=", "--cancel", 3, "--format", "jsonl")
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) >= 3
        assert scp.cancels == [1]


def test_a_limit_costs_one_cancel() -> None:
    with serve("a_million_matches", "find") as scp:
        done = findscu(scp, "-k", "StudyInstanceUID=", "--limit", 1, "--format", "jsonl")
        assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)
        assert scp.cancels == [1]


# --- a peer that misbehaves ---

# Behaviours that leave the query complete: every match and a final Success have arrived.
HARMLESS = frozenset(
    [
        "pdus_of_8_bytes",
        "extended_negotiation_of_noise",
        "features_not_asked",
        "no_answer_to_release",
        "pending_after_final",
        "echo_in_between",
        "no_sop_class",
        "final_with_identifier",
        "identifier_of_no_bytes",
        "identifier_in_the_other_vr",
        "command_and_file_elements",
        "elements_out_of_order",
        "group_length_that_lies",
        "value_with_a_million_values",
        "match_of_another_patient",
        "match_of_another_study",
        "match_of_another_level",
        "match_with_traversal_uid",
        "match_with_empty_uid",
        "match_with_uid_of_1000_characters",
        "match_with_escapes",
        "match_with_formula",
        "match_with_unknown_charset",
        "match_with_malformed_count",
        "match_with_huge_count",
        "match_with_broken_utf_8",
        "same_match_a_thousand_times",
        "keys_not_asked_for",
        "no_keys_at_all",
        "pdvs_of_one_byte",
        "command_and_identifier_in_one_pdu",
        "empty_last_fragment",
        "bytes_one_by_one",
        "group_length_of_4_gib",
    ]
)
# Behaviours that leave no usable association.
NO_ASSOCIATION = frozenset(
    [
        "rejected",
        "never_accepted",
        "no_context_accepted",
        "each_context_rejected",
        "another_syntax_accepted",
        "other_contexts_accepted",
        "each_context_twice",
        "pdus_of_one_byte",
        "acceptance_cut_short",
        "acceptance_with_long_item",
    ]
)
# The fault comes behind the final response: it is seen if both arrive together, and else at the release.
RACES = frozenset(["two_finals", "two_different_finals", "pending_after_final"])
FOR_FIND = [name for name, behaviour in BEHAVIOURS.items() if "find" in behaviour.operations]
IMPATIENT = ("-ta", 1, "-td", 1, "-tn", 1, "-pdu", 65536, "--max-responses", 30)


@pytest.mark.sample("pending_for_ever", "identifier_of_16_mib", "silence", "rejected", "match_with_escapes")
@pytest.mark.parametrize("name", FOR_FIND)
def test_the_exit_status_is_honest_whatever_the_peer_does(name: str) -> None:
    limit = ("--max-responses", 2000) if name in ("same_match_a_thousand_times",) else ()
    with serve(name, "find") as scp:
        done = findscu(scp, "-k", "PatientID=P1", "-k", "StudyInstanceUID=", "-k", "PatientName=", *IMPATIENT, *limit)
    expected = {0} if name in HARMLESS else {1} if name in NO_ASSOCIATION else {3}
    assert done.returncode in (expected | {0, 3} if name in RACES else expected), done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert any(line.startswith("E: ") for line in done.stderr.splitlines()) == (done.returncode != 0)


class Endless(QueryRetrieveSCP):
    """An SCP that sends matches until the query is cancelled."""

    def find(self, request: dimse.FindRequest) -> Iterator[Any]:
        self.requests.append(request)
        for number in count(1):
            yield {"StudyInstanceUID": f"1.2.{number}"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_query(number: signal.Signals) -> None:
    with (
        Endless() as scp,
        running.start("findscu", "-S", "127.0.0.1", scp.port, "-r", "@study", "--format", "jsonl") as process,
    ):
        assert process.stdout is not None and process.stderr is not None
        first = process.stdout.readline()
        process.send_signal(number)
        rest, said = process.stdout.read(), process.stderr.read()
        process.wait(30)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert scp.requests[0].cancelled
    # What came before is printed whole.
    assert all(json.loads(line) for line in (first + rest).splitlines())
    assert "E: " not in said


def test_a_query_may_be_limited_in_time() -> None:
    with Endless() as scp:
        done = running.tool(
            "findscu", "-S", "127.0.0.1", scp.port, "-r", "@study", "--count", "--find-timeout-total", "0.5"
        )
    assert done.returncode == 3
    assert "the query took more than 0.5 s" in done.stderr

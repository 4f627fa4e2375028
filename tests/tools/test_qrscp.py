"""qrscp as its users see it: what it listens on, who may do what, what it logs, and what it refuses at the start."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest

import dimse
from dimse.testing import StorageSCP
from tests.audit.reading import read
from tests.tools import running
from tests.tools.listeners import Listener, listening
from tests.tools.running import Instance

FIND = "StudyRootQueryRetrieveInformationModelFind"
STUDY, SERIES = "1.2.3", "1.2.3.1"


def instance(folder: Path, number: int = 1, study: str = STUDY) -> Path:
    """Write a CT image of a few bytes that an archive takes."""
    rest = running.element(0x0020, 0x000D, "UI", study.encode()) + running.element(
        0x0020, 0x000E, "UI", f"{study}.1".encode()
    )
    return Instance(f"{study}.1.{number}", rest=rest).write(folder / f"{number}.dcm")


@contextmanager
def archive(folder: Path, *arguments: object, **options: Any) -> Iterator[Listener]:
    """Start qrscp on 127.0.0.1, with its files in a folder."""
    places = ("--instance-location", folder / "instances", "--database-location", folder / "index.sqlite")
    with listening("qrscp", *places, *arguments, **options) as listener:
        yield listener


def configured(folder: Path, text: str) -> tuple[str, Path]:
    """Write a configuration, and return the option that names it."""
    path = folder / "archive.ini"
    path.write_text(text)
    return "-c", path


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def refused(*arguments: object) -> str:
    """Return the last line of qrscp where it refuses its command line."""
    done = running.tool("qrscp", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr.splitlines()[-1]


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "instances").rglob("*.dcm"))


def test_it_keeps_instances_in_its_folder_by_study_and_series(tmp_path: Path) -> None:
    with archive(tmp_path, "-v") as listener:
        listener.run("storescu", instance(tmp_path))
        said = listener.end()
    (path,) = (tmp_path / "instances").rglob("*.dcm")
    assert path.relative_to(tmp_path / "instances").parts == (STUDY, SERIES, f"{STUDY}.1.1.dcm")
    pattern = r"I: Received C-STORE request from 127\.0\.0\.1:\d+ at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert any(re.fullmatch(pattern, line) for line in said)
    assert (tmp_path / "index.sqlite").stat().st_mode & 0o777 == 0o600


def test_an_instance_that_comes_again_is_one_file(tmp_path: Path) -> None:
    path = instance(tmp_path)
    with archive(tmp_path) as listener:
        for _ in range(2):
            listener.run("storescu", path)
    assert stored(tmp_path) == [f"{STUDY}.1.1.dcm"]


def test_an_instance_without_a_study_is_refused(tmp_path: Path) -> None:
    path = Instance().write(tmp_path / "image.dcm")
    with archive(tmp_path) as listener:
        done = listener.run("storescu", path, exit_status=3)
    assert "0xA900" in done.stderr and "the data set has no StudyInstanceUID" in done.stderr
    assert stored(tmp_path) == []


def test_workers_share_the_folder_and_the_index(tmp_path: Path) -> None:
    paths = [instance(tmp_path, number) for number in range(1, 9)]
    with archive(tmp_path, "--workers", 2) as listener:
        for path in paths:
            listener.run("storescu", path)
        listener.end()
    assert len(stored(tmp_path)) == 8


def test_it_listens_soon(tmp_path: Path) -> None:
    """Scripts give another implementation a second; the limit here leaves room for a slow machine."""
    with archive(tmp_path):
        pass
    started = time.monotonic()
    with archive(tmp_path) as listener:
        taken = time.monotonic() - started
        assert listener.echo().is_success
    assert taken < 3


# --- the configuration


def test_the_configuration_says_the_title_and_the_port_and_options_win(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = f"[DEFAULT]\nae_title: MYARCHIVE\nport: {port}\ninstance_location: {tmp_path}/elsewhere\nmax_pdu: 32768\n"
    with archive(tmp_path, "-d", *configured(tmp_path, text)) as listener:
        said = listener.end()
    assert "D:   AE title: MYARCHIVE, Port: 0, Max. PDU: 32768" in said
    assert f"D:   Storage directory: {tmp_path}/instances" in said
    assert "D:   Move destinations: none" in said


def test_the_settings_are_logged_as_scripts_look_for_them(tmp_path: Path) -> None:
    with archive(tmp_path, "-d") as listener:
        said = listener.end()
    first = said.index("D: Configuration settings")
    assert said[first : first + 8] == [
        "D: Configuration settings",
        "D:   AE title: QRSCP, Port: 0, Max. PDU: 131072",
        "D:   Timeouts:",
        "D:     ACSE: 30, DIMSE: 30, Network: 30",
        f"D:   Storage directory: {tmp_path}/instances",
        f"D:   Database location: {tmp_path}/index.sqlite",
        "D:   Move destinations: ",
        "D:     STORESCP: (127.0.0.1, 11113)",
    ]


def test_a_password_of_the_database_is_not_logged() -> None:
    done = running.tool("qrscp", "-d", "--database-location", "postgresql://user:secret@127.0.0.1:1/archive", "0")
    assert done.returncode == 1
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[DEFAULT]\nae_titel: X", "[DEFAULT] has an unknown key, ae_titel: did you mean ae_title?"),
        ("[A]\nallow: print", "[A] allow: 'print' is not one of"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_at_the_start(tmp_path: Path, text: str, words: str) -> None:
    option, path = configured(tmp_path, text)
    assert f"cannot use the configuration {path}: {words}" in refused(option, path)


def test_a_configuration_that_is_missing_is_refused(tmp_path: Path) -> None:
    assert "No such file or directory" in refused("-c", tmp_path / "missing.ini")


# --- rights


def find_status(listener: Listener, ae_title: str) -> int | None:
    """Return the final status of a query; None where the model is refused."""
    with listener.associate(FIND, dimse.Verification, calling_ae_title=ae_title) as association:
        if not association.contexts[0].accepted:
            assert association.contexts[0].result == 1  # user-rejection
            return None
        finding = association.find({"StudyInstanceUID": ""}, level="STUDY")
        try:
            list(finding)
        except dimse.StatusError as error:
            return int(error.status)
        return 0


OTHERS = "[VIEWER]\naddress: 127.0.0.1\nport: 104\n[SCANNER]\naddress: 127.0.0.1\nport: 104\nallow: echo, store\n"


def test_peers_without_a_section_may_only_echo_and_store_where_others_reach_the_port(tmp_path: Path) -> None:
    with archive(tmp_path, *configured(tmp_path, OTHERS), "-ba", "0.0.0.0") as listener:
        listener.where = f"127.0.0.1:{listener.port}"
        assert listener.echo().is_success
        listener.run("storescu", instance(tmp_path))
        assert [find_status(listener, title) for title in ("VIEWER", "SCANNER", "STRANGER")] == [0, None, None]


@pytest.mark.parametrize("allowed", [("--allow-anyone",), ("--allow-from", "127.0.0.0/8")])
def test_peers_without_a_section_may_query_where_the_user_says_so(tmp_path: Path, allowed: tuple[str, ...]) -> None:
    with archive(tmp_path, *configured(tmp_path, OTHERS), "-ba", "0.0.0.0", *allowed) as listener:
        listener.where = f"127.0.0.1:{listener.port}"
        assert find_status(listener, "STRANGER") == 0
        said = listener.end()
    warning = "W: --allow-anyone: every AE that reaches this port may query and retrieve"
    assert (warning in said) == (allowed[0] == "--allow-anyone")


def test_everybody_may_do_everything_on_this_machine_alone(tmp_path: Path) -> None:
    with archive(tmp_path) as listener:
        assert find_status(listener, "STRANGER") == 0
        assert listener.end() == []


def test_rights_of_everybody_that_are_not_safe_are_refused(tmp_path: Path) -> None:
    option, path = configured(tmp_path, "[default]\nallow: echo, find\n[A]\naddress: 10.1.2.3\nport: 104\n")
    assert "[default] allows find to every AE, which needs --allow-anyone" in refused(option, path, "0")


def test_sighup_reads_the_peers_again(tmp_path: Path) -> None:
    option, path = configured(tmp_path, OTHERS)
    with archive(tmp_path, option, path, "-v", "-ba", "0.0.0.0") as listener:
        listener.where = f"127.0.0.1:{listener.port}"
        assert find_status(listener, "SCANNER") is None
        path.write_text(OTHERS.replace("echo, store", "all"))
        listener.process.send_signal(signal.SIGHUP)
        listener.until("Peers read again")
        assert find_status(listener, "SCANNER") == 0
        path.write_text("[SCANNER]\nnonsense: 1")
        listener.process.send_signal(signal.SIGHUP)
        listener.until("the peers stay as they were: ")
        assert find_status(listener, "SCANNER") == 0


# --- what is offered


def test_models_that_are_not_served_are_refused_when_the_association_is_made(tmp_path: Path) -> None:
    wanted = ["ModalityWorklistInformationModelFind", "UnifiedProcedureStepPull", FIND]
    with archive(tmp_path) as listener, listener.associate(*wanted) as association:
        assert [context.accepted for context in association.contexts] == [False, False, True]


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        ((), "PFIND PGET PMOVE SFIND SGET SMOVE OFIND"),
        (("--no-find",), "PGET PMOVE SGET SMOVE"),
        (("-QP", "-QO"), "SFIND SGET SMOVE"),
        (("--no-get", "--no-move", "-QS"), "PFIND OFIND"),
    ],
)
def test_services_and_models_may_be_left_out(tmp_path: Path, options: tuple[str, ...], offered: str) -> None:
    models = {"P": "PatientRoot", "S": "StudyRoot"}
    proposed = {
        f"{letter}{name.upper()}": f"{model}QueryRetrieveInformationModel{name}"
        for letter, model in models.items()
        for name in ("Find", "Get", "Move")
    } | {"OFIND": "1.2.840.10008.5.1.4.1.2.3.1"}
    with archive(tmp_path, *options) as listener, listener.associate(*proposed.values()) as association:
        accepted = [context.accepted for context in association.contexts]
    assert " ".join(name for name, is_accepted in zip(proposed, accepted, strict=True) if is_accepted) == offered


def test_the_features_of_queries_are_answered_truthfully(tmp_path: Path) -> None:
    everything = dimse.Features(True, True, True, True, True, True, True)
    with (
        archive(tmp_path) as listener,
        listener.associate(FIND, extended=everything.negotiation("study")) as association,
    ):
        finding = association.find({"StudyInstanceUID": ""}, level="STUDY")
    assert finding.features == dimse.Features(
        relational=True, date_time=True, fuzzy_names=True, empty_values=True, multiple_values=True
    )


# --- what is logged of a query


@pytest.mark.parametrize(
    ("options", "shown"),
    [((), "[hidden]"), (("--log-phi",), "DOE*"), ((), "DOE*")],
    ids=["private", "log-phi", "log_identifier"],
)
def test_identifiers_are_private(
    tmp_path: Path, options: tuple[str, ...], shown: str, request: pytest.FixtureRequest
) -> None:
    more = configured(tmp_path, "[DEFAULT]\nlog_identifier: yes\n") if "log_identifier" in request.node.name else ()
    with archive(tmp_path, "-v", *options, *more) as listener:
        listener.run("findscu", "-S", "-k", "PatientName=DOE*", "-q")
        said = listener.end()
    first = said.index("I: Find SCP Request Identifier:")
    assert said[first + 2].startswith("I: (0010,0010) PN [")
    assert shown in said[first + 2]


# --- events


def test_a_report_has_a_line_for_each_instance(tmp_path: Path) -> None:
    with archive(tmp_path, "--report", tmp_path / "report.jsonl") as listener:
        listener.run("storescu", instance(tmp_path))
        listener.end()
    (line,) = (tmp_path / "report.jsonl").read_text().splitlines()
    assert f'"{STUDY}.1.1"' in line


def test_what_is_refused_is_in_the_log_and_in_the_audit_trail(tmp_path: Path) -> None:
    trail = tmp_path / "audit.xml"
    text = "[SCANNER]\naddress: 127.0.0.1\nport: 104\nallow: store\n"
    with archive(tmp_path, *configured(tmp_path, text), "--audit", trail) as listener:
        assert listener.echo(calling_ae_title="SCANNER") == 0x0124
        listener.run("storescu", instance(tmp_path))
        said = listener.end()
    assert said == ["W: refused a request of SCANNER at 127.0.0.1: C-ECHO is not allowed to it"]
    written = trail.read_text()
    assert "C-ECHO is not allowed to it" in written
    assert STUDY in written


def test_a_query_is_in_the_audit_trail_with_its_identifier(tmp_path: Path) -> None:
    trail = tmp_path / "audit.xml"
    with archive(tmp_path, "--audit", trail) as listener:
        listener.run("findscu", "-S", "-k", "PatientName=DOE*", "-q")
        listener.end()
    found = [message.root.findtext(".//ParticipantObjectQuery") for message in read(trail.read_bytes().splitlines())]
    (query,) = filter(None, found)
    assert b"DOE*" in b64decode(query)


def test_the_storage_of_what_it_keeps_is_committed_to(tmp_path: Path) -> None:
    path = instance(tmp_path)
    with archive(tmp_path) as listener:
        listener.run("storescu", path)
        listener.run("storescu", "--verify", path)


def test_the_right_to_commitment_is_a_peers_own(tmp_path: Path) -> None:
    with (
        archive(tmp_path, *configured(tmp_path, OTHERS)) as listener,
        listener.associate("StorageCommitmentPushModel", "Verification", calling_ae_title="SCANNER") as association,
    ):
        assert [context.result for context in association.contexts] == [1, 0]


def test_what_is_sent_is_in_the_audit_trail_by_study(tmp_path: Path) -> None:
    trail = tmp_path / "audit.xml"
    with archive(tmp_path, "--audit", trail) as listener:
        listener.run("storescu", instance(tmp_path, 1), instance(tmp_path, 2))
        trail.write_bytes(b"")
        classes = ("--sop-class", "SecondaryCaptureImageStorage")
        listener.run("getscu", "-S", "--study-uid", STUDY, *classes, "-od", tmp_path / "in", "-q")
        listener.end()
    sent = [line for line in trail.read_text().splitlines() if "110104" in line]
    assert len(sent) == 1
    assert STUDY in sent[0] and 'NumberOfInstances="2"' in sent[0] and "GETSCU" in sent[0]


def test_the_responses_to_a_query_are_logged(tmp_path: Path) -> None:
    with archive(tmp_path, "-v") as listener:
        listener.run("storescu", instance(tmp_path, 1), instance(tmp_path, 2, study="1.2.4"))
        listener.run("findscu", "-S", "-k", "StudyInstanceUID=", "-q")
        said = listener.end()
    first = said.index("I: Find SCP Response 1: 0xFF00 (Pending)")
    assert said[first + 1 : first + 3] == [
        "I: Find SCP Response 2: 0xFF00 (Pending)",
        "I: Find SCP Response 3: 0x0000 (Success)",
    ]


# --- what holds for every peer


def found(listener: Listener, ae_title: str) -> tuple[int, int]:
    """Return the number of the matches of a query, and its final status."""
    with listener.associate(FIND, calling_ae_title=ae_title) as association:
        finding = association.find({"StudyInstanceUID": ""}, level="STUDY")
        number = 0
        try:
            for _ in finding:
                number += 1
        except dimse.StatusError as error:
            return number, int(error.status)
        return number, 0


def test_the_most_matches_are_those_of_the_peer_else_of_the_option_else_of_the_general_section(tmp_path: Path) -> None:
    text = "[DEFAULT]\nmax_matches: 2\n[MUCH]\nfrom: 127.0.0.1\nmax_matches: 3\n[SOME]\nfrom: 127.0.0.1\n"
    paths = [instance(tmp_path, number, study=f"1.2.{number}") for number in range(4)]
    options = configured(tmp_path, text)
    with archive(tmp_path, *options) as listener:
        listener.run("storescu", *paths)
        assert [found(listener, title) for title in ("MUCH", "SOME", "OTHER")] == [
            (3, 0xA700),
            (2, 0xA700),
            (2, 0xA700),
        ]
    with archive(tmp_path, *options, "--max-matches", 1) as listener:
        assert [found(listener, title) for title in ("MUCH", "SOME", "OTHER")] == [
            (3, 0xA700),
            (1, 0xA700),
            (1, 0xA700),
        ]


COMPRESSED = ("1.2.840.10008.1.2.4.50", "SecondaryCaptureImageStorage")


def sent_to(listener: Listener, ae_title: str, study: str) -> int:
    """Return the number of instances that a C-GET brings to a peer which takes Implicit VR Little Endian only."""
    sop_class = dimse.uids.find(COMPRESSED[1])
    contexts: list[str | tuple[str, list[str]]] = [
        "StudyRootQueryRetrieveInformationModelGet",
        (sop_class, ["1.2.840.10008.1.2"]),
    ]
    handlers = dimse.Handlers(store=lambda request: 0)
    roles = [dimse.Role(sop_class, scu=False, scp=True)]
    with dimse.associate(
        "127.0.0.1", listener.port, contexts=contexts, roles=roles, handlers=handlers, calling_ae_title=ae_title
    ) as association:
        getting = association.get({"StudyInstanceUID": study})
        *_, end = getting
        assert end.completed is not None
        return int(end.completed)


@pytest.mark.parametrize(
    ("options", "text", "general", "own"),
    [
        ((), "", 1, 0),
        (("--transcode", "never"), "", 0, 0),
        ((), "transcode: lossless", 0, 0),
        (("--transcode", "always"), "transcode: never", 1, 0),
    ],
)
def test_what_is_compressed_is_decompressed_as_the_user_says(
    tmp_path: Path, options: tuple[str, ...], text: str, general: int, own: int
) -> None:
    path = Path(pydicom.__file__).parent / "data/test_files/SC_rgb_jpeg_dcmtk.dcm"
    configuration = f"[DEFAULT]\n{text}\n[NEVER]\nfrom: 127.0.0.1\ntranscode: never\n"
    with archive(tmp_path, *configured(tmp_path, configuration), *options) as listener:
        listener.run("storescu", path)
        study = pydicom.dcmread(path).StudyInstanceUID
        assert (sent_to(listener, "OTHER", study), sent_to(listener, "NEVER", study)) == (general, own)


# --- switches


def test_without_a_digest_copies_are_told_by_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = instance(tmp_path)
    rest = running.element(0x0020, 0x000D, "UI", STUDY.encode()) + running.element(
        0x0020, 0x000E, "UI", SERIES.encode()
    )
    other = Instance(f"{STUDY}.1.1", rest=rest + running.element(0x0020, 0x0013, "IS", b"7 ")).write(
        tmp_path / "other/1.dcm"
    )
    with archive(tmp_path, *configured(tmp_path, "[DEFAULT]\ndigest: none\n")) as listener:
        for path in (first, first, other):
            listener.run("storescu", path)
    assert len(stored(tmp_path)) == 2
    with sqlite3.connect(tmp_path / "index.sqlite") as database:
        assert database.execute("SELECT digest FROM instance").fetchall() in ([(b"",)], [(None,)])
        assert database.execute("SELECT count(*) FROM duplicate").fetchone() == (1,)


def test_two_moves_to_one_destination_have_reports_of_their_own(tmp_path: Path) -> None:
    """Each has its patient and its study."""
    trail = tmp_path / "audit.xml"
    data_sets = [pydicom.dcmread(instance(tmp_path, number, study=f"1.2.{number}"), force=True) for number in (1, 2)]
    for number, data_set in enumerate(data_sets, 1):
        data_set.PatientID = f"P{number}"
        data_set.save_as(tmp_path / f"{number}.dcm")
    with (
        StorageSCP(ae_title="HERE") as scp,
        archive(
            tmp_path, *configured(tmp_path, f"[HERE]\naddress: 127.0.0.1\nport: {scp.port}\n"), "--audit", trail
        ) as listener,
    ):
        listener.run("storescu", tmp_path / "1.dcm", tmp_path / "2.dcm")
        trail.write_bytes(b"")
        associations = [listener.associate("StudyRootQueryRetrieveInformationModelMove") for _ in range(2)]
        moves = [
            threading.Thread(target=lambda one=one, study=study: list(one.move({"StudyInstanceUID": study}, "HERE")))
            for one, study in zip(associations, ("1.2.1", "1.2.2"), strict=True)
        ]
        for move in moves:
            move.start()
        for move in moves:
            move.join(20)
        for association in associations:
            association.release()
        listener.end()
    sent = [line for line in trail.read_text().splitlines() if "110104" in line]
    assert len(sent) == 2
    for number in (1, 2):
        (line,) = [one for one in sent if f'"1.2.{number}"' in one]
        assert f'"P{number}"' in line and 'NumberOfInstances="1"' in line


@pytest.mark.thorough
def test_the_rows_of_workers_are_noted_as_synced(tmp_path: Path) -> None:
    def synced_at() -> float:
        with sqlite3.connect(tmp_path / "index.sqlite") as database:
            return float(database.execute("SELECT synced_at FROM store").fetchone()[0])

    with archive(tmp_path, "--workers", 2) as listener:
        stored_at = time.time()
        listener.run("storescu", instance(tmp_path))
        until(lambda: synced_at() >= stored_at)

"""--log-format, --log-phi and --audit, as the user of each tool has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dimse
from dimse import uids
from tests.audit.reading import Message, read
from tests.drivers import LOOPBACK, serving
from tests.tools import listeners, running

PATIENT = "PID-4711"
LAYOUT = "{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}"
START, STOP, BEGIN, TRANSFERRED, ALERT, LOGIN = "110120", "110121", "110102", "110104", "110113", "110114"


def image(path: Path, uid: str = "1.2.3", study: str = "1.2", name: bytes = b"Doe^Jane") -> Path:
    """Write an image of a patient."""
    rest = running.element(0x0010, 0x0010, "PN", name) + running.element(0x0010, 0x0020, "LO", PATIENT.encode())
    rest += running.element(0x0020, 0x000D, "UI", study.encode())
    return running.Instance(uid, rest=rest).write(path)


def trail(path: Path) -> list[Message]:
    assert path.stat().st_mode & 0o777 == 0o600
    return read(path.read_bytes().splitlines())


# --- the log ---


def test_json_says_of_which_association_each_line_is(tmp_path: Path) -> None:
    with listeners.listening("storescp", "-d", "--log-format", "json", "-od", tmp_path / "in") as listener:
        listener.run("echoscu", "-aet", "ONE")
        done = listener.run("storescu", image(tmp_path / "a.dcm"), "-aet", "TWO", "-d", "--log-format", "json")
        said = [json.loads(line) for line in listener.end()]
    titles = {entry["calling_ae_title"] for entry in said if "association" in entry}
    assert titles == {"ONE", "TWO"}
    assert {entry["association"] for entry in said if entry.get("calling_ae_title") == "ONE"} == {1}
    stored = next(entry for entry in said if entry["message"].startswith("Storing DICOM file"))
    assert (stored["level"], stored["logger"], stored["called_ae_title"]) == ("INFO", "dimse.archive", "ANY-SCP")
    assert stored["peer"].startswith("127.0.0.1:") and stored["milliseconds"] > 0 and stored["process"]
    ours = [json.loads(line) for line in done.stderr.splitlines()]
    assert ours[0]["message"].startswith("storescu.py v") and "association" not in ours[0]
    sent = next(entry for entry in ours if entry["message"].startswith("Sending Store Request"))
    assert (sent["association"], sent["peer"]) == (1, listener.where)


def test_text_is_what_it_was() -> None:
    with serving() as port:
        plain, named = (
            running.tool("echoscu", LOOPBACK, port, "-d", *words) for words in ([], ["--log-format", "text"])
        )
    assert named.stderr.splitlines()[:20] == plain.stderr.splitlines()[:20]
    assert plain.stderr.startswith(f"D: echoscu.py v{dimse.__version__}\nD: \nI: Requesting Association\n")


@pytest.mark.thorough
@pytest.mark.parametrize("level", ["-d", "-v"])
def test_storescp_logs_nothing_of_a_patient_unless_asked_to(level: str, tmp_path: Path) -> None:
    picture = image(tmp_path / "a.dcm")
    for options, shown in (([], False), (["--log-phi"], True)):
        folder = tmp_path / f"in{shown}"
        command = "python3 -c 'import os; print(os.environ[\"DIMSE_PATIENT_ID\"])'"
        with listeners.listening(
            "storescp", level, "-od", folder, "--layout", LAYOUT, "--exec", command, *options
        ) as listener:
            listener.run("storescu", picture)
            listener.run("storescu", picture)  # it is there already
            said = "\n".join(listener.end())
        assert (folder / PATIENT / "1.2" / "1.2.3").exists()
        assert "Storing DICOM file: " in said and "already exists" in said
        assert (PATIENT in said) == shown
        assert ("{PatientID}/{StudyInstanceUID}/1.2.3" in said) != shown


@pytest.mark.thorough
def test_log_phi_reaches_every_handler_of_a_configuration(tmp_path: Path) -> None:
    lines = {"class": "logging.FileHandler", "formatter": "lines"}
    configuration = {
        "formatters": {"lines": {"()": "dimse.tools.json_log.Formatter"}},
        "handlers": {
            "below": {**lines, "filename": str(tmp_path / "below")},
            "behind": {**lines, "filename": str(tmp_path / "behind")},
            "late": {"class": "logging.handlers.MemoryHandler", "capacity": 1, "target": "behind"},
        },
        "loggers": {"dimse": {"handlers": ["late"], "level": "INFO"}, "dimse.archive": {"handlers": ["below"]}},
    }
    (tmp_path / "log.json").write_text(json.dumps(configuration))
    options = ("-od", tmp_path / "in", "--layout", LAYOUT, "-lc", tmp_path / "log.json")
    for more, shown in (([], False), (["--log-phi"], True)):
        with listeners.listening("storescp", *options, *more) as listener:
            listener.run("storescu", image(tmp_path / "a.dcm"))
            listener.end()
        for name in ("below", "behind"):
            said = [json.loads(line)["message"] for line in (tmp_path / name).read_text().splitlines()]
            assert any(PATIENT in message for message in said) == shown, name


def test_a_logging_configuration_says_itself_what_the_log_looks_like(tmp_path: Path) -> None:
    configuration = tmp_path / "log.json"
    configuration.write_text(
        json.dumps(
            {
                "formatters": {"lines": {"()": "dimse.tools.json_log.Formatter"}},
                "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "lines"}},
                "loggers": {"dimse": {"handlers": ["err"], "level": "INFO"}},
            }
        )
    )
    with serving() as port:
        process = running.tool("echoscu", LOOPBACK, port, "-lc", configuration)
        assert json.loads(process.stderr.splitlines()[0])["message"] == "Requesting Association"
        process = running.tool("echoscu", LOOPBACK, port, "-lc", configuration, "--log-format", "json")
    assert process.returncode == 2
    assert "does not go with --log-format" in process.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["log.ini", "log.json", "log.toml"])
def test_a_logging_configuration_may_be_edited_on_windows(tmp_path: Path, name: str) -> None:
    text = {
        "log.ini": """[loggers]
keys=root
[handlers]
keys=err
[formatters]
keys=lines
[logger_root]
level=INFO
handlers=err
[handler_err]
class=StreamHandler
formatter=lines
args=(sys.stderr,)
[formatter_lines]
format=said: %(message)s
""",
        "log.json": json.dumps(
            {
                "formatters": {"lines": {"format": "said: %(message)s"}},
                "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "lines"}},
                "root": {"handlers": ["err"], "level": "INFO"},
            },
            indent=1,
        ),
        "log.toml": """[formatters.lines]
format = "said: %(message)s"
[handlers.err]
class = "logging.StreamHandler"
formatter = "lines"
[root]
handlers = ["err"]
level = "INFO"
""",
    }[name]
    configuration = tmp_path / name
    configuration.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    with serving() as port:
        process = running.tool("echoscu", LOOPBACK, port, "-lc", configuration)
    assert (process.returncode, process.stderr.splitlines()[0]) == (0, "said: Requesting Association")


# --- the audit trail ---


@pytest.mark.thorough
def test_the_trail_of_storescp(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    options = ["-aet", "ARCHIVE", "-od", tmp_path / "in", "--audit", path, "--require-called"]
    images = [image(tmp_path / f"{number}.dcm", f"1.2.3.{number}", f"1.{number % 2}") for number in range(4)]
    odd = image(tmp_path / "odd.dcm", "../../x")
    with listeners.listening("storescp", *options) as listener:
        listener.run("storescu", "-aec", "ARCHIVE", *images)
        listener.run("storescu", "-aec", "ARCHIVE", images[0])
        listener.run("storescu", "-aec", "ARCHIVE", odd)
        listener.run("echoscu", "-aec", "OTHER", exit_status=1)
        with listeners.Requestor(listener) as raw:
            raw.socket.sendall(b"\xff" * 100)
            while raw.socket.recv(100):
                pass
        listener.end()
    messages = trail(path)
    kinds = [(message.event, message.outcome, message.action) for message in messages]
    assert kinds[0] == ("110100", 0, "E") and messages[0].event_type == START
    assert kinds[-1] == ("110100", 0, "E") and messages[-1].event_type == STOP
    transfers = [message for message in messages if message.event == TRANSFERRED]
    assert [(each.outcome, each.action, each.objects, sum(each.sop_classes.values())) for each in transfers] == [
        (0, "C", {"110180": "1.0", "2": PATIENT}, 2),
        (0, "C", {"110180": "1.1", "2": PATIENT}, 2),
        (0, "R", {"110180": "1.0", "2": PATIENT}, 1),  # it was here
        (0, "C", {"110180": "1.2", "2": PATIENT}, 1),
    ]
    assert transfers[0].roles == {"110153": "AETITLES=STORESCU", "110152": "AETITLES=ARCHIVE"}
    assert sum(message.event == BEGIN for message in messages) == 4
    alerts = [message.alert for message in messages if message.event == ALERT]
    assert alerts[0] == "protocol: the SOP Instance UID is not a safe file name and was replaced: ../../x"
    assert alerts[1] == "rejected: Called AE title not recognised"
    assert alerts[2].startswith("protocol: ")
    assert len(alerts) == 3


def test_what_storescp_refuses_is_a_failure_in_its_trail(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    options = ["-od", tmp_path / "in", "--on-duplicate", "reject", "--audit", path]
    with listeners.listening("storescp", *options) as listener:
        listener.run("storescu", image(tmp_path / "a.dcm"))
        listener.run("storescu", image(tmp_path / "b.dcm", name=b"Roe^Richard"), exit_status=3)
        listener.end()
    first, second = (message for message in trail(path) if message.event == TRANSFERRED)
    assert (first.outcome, second.outcome, second.sop_classes) == (0, 8, {})
    assert second.why == "not transferred: 1 of 1 instance"


@pytest.mark.thorough
def test_the_trail_of_several_workers_is_one(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with listeners.listening("storescp", "--workers", 3, "-od", tmp_path / "in", "--audit", path) as listener:
        for number in range(6):
            listener.run("storescu", image(tmp_path / "a.dcm", f"1.2.{number}", f"1.{number}"))
        listener.end()
    messages = trail(path)
    assert [message.event_type for message in messages if message.event == "110100"] == [START, STOP]
    assert sum(message.event == TRANSFERRED for message in messages) == 6


@pytest.mark.thorough
def test_a_user_accepted_by_password_is_in_the_trail_of_echoscp(tmp_path: Path) -> None:
    from dimse.tools.passwords import Hash

    path, users = tmp_path / "audit", tmp_path / "users"
    users.touch(0o600)
    users.write_text(f"alice:{Hash.of(b'sesame', (16, 1, 1))}\n")
    options = ["--audit", path, "--password-file", users, "--allow-plain-password"]
    with listeners.listening("echoscp", *options) as listener:
        for password, status in (("sesame", 0), ("wrong", 1)):
            listener.run(
                "echoscu", "--user", "alice", "--password", password, "--allow-plain-password", exit_status=status
            )
        listener.end()
    messages = trail(path)
    assert [
        (message.event, message.outcome, message.participants[0]["UserID"])
        for message in messages
        if message.event == LOGIN
    ] == [(LOGIN, 0, "alice"), (LOGIN, 4, "alice")]
    assert "sesame" not in path.read_text() and "wrong" not in path.read_text()


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_trail_of_storescu(jobs: int, tmp_path: Path) -> None:
    path = tmp_path / "audit"
    images = [image(tmp_path / f"{number}.dcm", f"1.2.3.{number}", f"1.{number % 2}") for number in range(6)]

    def store(request: dimse.StoreRequest) -> int:
        return 0xA900 if request.sop_instance_uid.endswith("3") else 0

    with serving(handlers=dimse.Handlers(store=store)) as port:
        running.tool("storescu", LOOPBACK, port, *images, "--jobs", jobs, "-aec", "PACS", "--audit", path)
    messages = trail(path)
    assert [message.event_type for message in messages if message.event == "110100"] == [START, STOP]
    assert sum(message.event == BEGIN for message in messages) == 2
    reports = {message.objects["110180"]: message for message in messages if message.event == TRANSFERRED}
    assert {study: (report.outcome, report.sop_classes) for study, report in reports.items()} == {
        "1.0": (0, {uids.SecondaryCaptureImageStorage: 3}),
        "1.1": (4, {uids.SecondaryCaptureImageStorage: 2}),
    }
    assert reports["1.1"].why == "not transferred: 1 of 3 instances"
    assert reports["1.0"].roles == {"110153": "AETITLES=STORESCU", "110152": "AETITLES=PACS"}


def test_a_trail_that_cannot_be_kept_is_no_beginning(tmp_path: Path) -> None:
    process = running.tool("echoscp", "-ba", LOOPBACK, 0, "--audit", tmp_path / "no" / "such" / "folder")
    assert process.returncode == 2
    assert "cannot keep the audit trail" in process.stderr.splitlines()[-1]


@pytest.mark.parametrize("where", ["", "syslog:", "syslog:host:99999", "syslog+tls:ho:st:6514:x"])
def test_where_there_is_no_trail(where: str) -> None:
    process = running.tool("echoscp", 0, "--audit", where)
    assert process.returncode == 2
    assert "argument --audit" in process.stderr.splitlines()[-1]


def test_a_tool_that_cannot_listen_says_so_in_its_trail(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    with serving() as port:
        assert running.tool("echoscp", "-ba", LOOPBACK, port, "--audit", path).returncode == 1
    (message,) = trail(path)
    assert (message.event_type, message.outcome) == (STOP, 8)
    assert "Address already in use" in message.why

"""Files and folders that cannot be used: one line says which and why, before anything is sent or received."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import dimse
from tests.tls.certificates import Certificates
from tests.tools import running

Command = Callable[..., list[str]]
READ_ONLY, DENIED, FILE = "Read-only file system", "Permission denied", "Not a directory"


def read_only(path: Path) -> Command:
    """Return a function that makes a command for which a folder is on a read-only file system."""
    mounted = shlex.quote(str(path))
    script = f'mount --bind {mounted} {mounted} && mount -o remount,ro,bind {mounted} && exec "$@"'
    words = ["unshare", "-rm", "sh", "-c", script, "sh"]
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("this system has no mount namespaces")
    tried = subprocess.run([*words, "true"], capture_output=True, check=False, timeout=running.SECONDS)
    if tried.returncode != 0:
        pytest.skip("this user may not mount a file system")
    return lambda name, *arguments: [*words, *running.command(name, *arguments)]


def denied(path: Path) -> Command:
    """Return a function that makes a command for which a folder may be read only."""
    path.chmod(0o500)
    return lambda name, *arguments: [*running.unprivileged(), *running.command(name, *arguments)]


def with_a_fault(path: Path, fault: str) -> Command:
    path.mkdir()
    return read_only(path) if fault == READ_ONLY else denied(path)


FAULTS = pytest.mark.parametrize("fault", [READ_ONLY, DENIED])
LISTENING = (0, "-ba", "127.0.0.1")


@FAULTS
@pytest.mark.parametrize("used_before", [False, True])
def test_storescp_says_why_it_cannot_keep_files(tmp_path: Path, fault: str, used_before: bool) -> None:
    folder = tmp_path / "in"
    command = with_a_fault(folder, fault)
    if used_before:
        folder.chmod(0o700)
        (folder / ".incoming").mkdir()
        folder.chmod(0o500 if fault == DENIED else 0o700)
    done = running.run(*command("storescp", *LISTENING, "-od", folder))
    assert done.returncode == 1
    assert running.errors(done) == [f"{folder}: {fault}"]


@FAULTS
def test_storescp_says_why_it_cannot_make_its_folder(tmp_path: Path, fault: str) -> None:
    command = with_a_fault(tmp_path / "above", fault)
    done = running.run(*command("storescp", *LISTENING, "-od", tmp_path / "above" / "in"))
    assert done.returncode == 1
    assert running.errors(done) == [f"{tmp_path / 'above' / 'in'}: {fault}"]


def test_storescp_says_that_its_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    done = running.tool("storescp", *LISTENING, "-od", tmp_path / "in")
    assert done.returncode == 1
    assert running.errors(done) == [f"{tmp_path / 'in'}: {FILE}"]


@FAULTS
@pytest.mark.parametrize("option", ["--report", "--ready-file"])
def test_a_file_that_a_listener_cannot_write(tmp_path: Path, fault: str, option: str) -> None:
    folder = tmp_path / "closed"
    command = with_a_fault(folder, fault)
    done = running.run(*command("storescp", *LISTENING, "-od", tmp_path / "in", option, folder / "file"))
    assert done.returncode == 1
    assert running.errors(done) == [f"{folder / 'file'}: {fault}"]


@FAULTS
@pytest.mark.parametrize(
    ("tool", "option", "words"),
    [
        ("storescp", "--log-file", "cannot write the log file {}: "),
        ("storescp", "--audit", "cannot keep the audit trail {}: "),
        ("storescu", "--log-file", "cannot write the log file {}: "),
        ("storescu", "--report", "cannot write the report {}: "),
        ("storescu", "--audit", "cannot keep the audit trail {}: "),
    ],
)
def test_a_file_that_cannot_be_written_is_wrong_usage(
    tmp_path: Path, fault: str, tool: str, option: str, words: str
) -> None:
    folder, image = tmp_path / "closed", running.Instance().write(tmp_path / "a.dcm")
    command, file = with_a_fault(folder, fault), folder / "file.json"
    rest = LISTENING if tool == "storescp" else ("127.0.0.1", 1, image)
    done = running.run(*command(tool, *rest, option, file))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"{tool}: error: {words.format(file)}{fault}"


@FAULTS
@pytest.mark.parametrize("exists", [False, True])
def test_a_journal_that_cannot_be_written(tmp_path: Path, fault: str, exists: bool) -> None:
    folder, image = tmp_path / "closed", running.Instance().write(tmp_path / "a.dcm")
    command, journal = with_a_fault(folder, fault), folder / "sent.db"
    if exists:
        folder.chmod(0o700)
        with running.Receiver() as receiver:
            assert receiver.storescu(image, "--journal", journal).returncode == 0
        folder.chmod(0o500 if fault == DENIED else 0o700)
    with running.Receiver() as receiver:
        done = running.run(*command("storescu", "127.0.0.1", receiver.port, image, "--journal", journal))
        assert receiver.stored == []
    assert done.returncode == 3
    (line,) = running.errors(done)
    reason = f"its folder: {DENIED.lower()}" if exists and fault == DENIED else fault.lower()
    assert line == f"the journal {journal} cannot be used: {reason}"


@pytest.mark.parametrize("option", ["--password-file", "--tls-cert", "--tls-key", "--tls-ca", "--tls-crl"])
def test_a_file_that_cannot_be_read(tmp_path: Path, option: str) -> None:
    certificates, closed = Certificates(tmp_path), tmp_path / "closed"
    closed.touch(0o600)
    closed.chmod(0)
    given = {"--tls-cert": certificates.server.pem, "--tls-ca": certificates.ca, option: str(closed)}
    words = [word for name, path in given.items() for word in (name, path)]
    done = running.run(*running.unprivileged(), *running.command("echoscp", *LISTENING, "--tls", *words))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("echoscp: error: cannot use ") and last.endswith(f"{closed}: {DENIED}"), last


@pytest.mark.parametrize(
    "words", [("@/dev/zero",), ("--tls", "--tls-cert", "/dev/zero"), ("--log-config", "/dev/zero")]
)
def test_a_device_without_an_end_is_not_read_to_its_end(words: tuple[str, ...]) -> None:
    done = running.tool("echoscp", *words, *LISTENING)
    assert done.returncode == 2
    assert "it has more than 67,108,864 bytes" in done.stderr.splitlines()[-1]


def test_a_report_that_is_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sent.json").symlink_to("/dev/zero")
    done = running.tool("storescu", "127.0.0.1", 1, "--retry-failed", tmp_path / "sent.json")
    assert done.returncode == 3
    assert running.errors(done) == [f"{tmp_path / 'sent.json'} is not a report: it is a device"]


def test_a_named_file_that_cannot_be_read(tmp_path: Path) -> None:
    closed = running.Instance().write(tmp_path / "closed.dcm")
    closed.chmod(0)
    below = closed / "below.dcm"
    folder = tmp_path / "folder"
    folder.mkdir(0)
    with running.Receiver() as receiver:
        paths = (closed, below, folder)
        command = running.command("storescu", "127.0.0.1", receiver.port, *paths)
        done = running.run(*running.unprivileged(), *command)
    assert done.returncode == 3
    errors = running.errors(done)
    assert len(errors) == 3
    for line, path, reason in zip(errors, paths, (DENIED, FILE, DENIED), strict=True):
        assert line.startswith(("Cannot access path: ", "Bad DICOM file: ")), line
        assert str(path) in line and line.endswith(reason.lower()), line


def test_a_store_of_the_library_names_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").touch()
    with pytest.raises(NotADirectoryError) as raised, dimse.archive.FileStore(tmp_path / "in"):
        pytest.fail("a file is not a folder")
    assert raised.value.filename == str(tmp_path / "in")

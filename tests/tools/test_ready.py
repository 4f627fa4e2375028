"""The ready signal of a listener; and the examples in deploy/, which run."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dimse.tools.ready import announce, notify
from tests.tools import running

ADDRESS = ("127.0.0.1", 11112)
DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(autouse=True)
def no_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may be a service itself."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


# --- the file ---


@pytest.mark.parametrize(
    ("address", "line"),
    [(ADDRESS, "127.0.0.1:11112\n"), (("::1", 104), "[::1]:104\n"), (("0.0.0.0", 1), "0.0.0.0:1\n")],
)
def test_the_file_has_the_address_while_the_listener_is_ready(
    tmp_path: Path, address: tuple[str, int], line: str
) -> None:
    path = tmp_path / "ready"
    with announce(address, str(path)):
        assert path.read_text() == line
        assert list(tmp_path.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_before_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    path.write_text("an older and longer line\n")
    with path.open() as older:
        with announce(ADDRESS, str(path)):
            assert path.read_text() == "127.0.0.1:11112\n"
        assert older.read() == "an older and longer line\n"


def test_removing_the_file_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    with announce(ADDRESS, str(path)):
        path.unlink()


def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    with announce(ADDRESS, str(path)):
        reader.join(running.SECONDS)
    assert read == ["127.0.0.1:11112\n"]
    assert path.is_fifo()


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), announce(ADDRESS, str(tmp_path / "none" / "ready")):
        pytest.fail("it is not ready")
    assert list(tmp_path.iterdir()) == []


# --- the service manager ---


@contextmanager
def manager(name: bytes) -> Iterator[socket.socket]:
    """Listen as a service manager does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(name)
        channel.settimeout(running.SECONDS)
        yield channel


@pytest.mark.parametrize("abstract", [False, pytest.param(True, marks=pytest.mark.skipif("sys.platform != 'linux'"))])
def test_the_manager_is_told_of_the_beginning_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"dimse-{os.getpid()}-{os.urandom(4).hex()}" if abstract else str(tmp_path / "s")
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
    with manager(b"\0" + name.encode() if abstract else name.encode()) as channel:
        with pytest.raises(KeyError), announce(ADDRESS):
            assert channel.recv(4096) == b"READY=1\nSTATUS=Listening on 127.0.0.1:11112"
            raise KeyError("whatever ends it")
        assert channel.recv(4096) == b"STOPPING=1"


@pytest.mark.parametrize("name", [None, "", "vsock:2:1234", "relative"])
def test_without_a_manager_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str | None
) -> None:
    if name is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", name)
    with announce(ADDRESS):
        pass
    assert caplog.records == []


def test_a_manager_that_does_not_listen_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    notify("READY=1")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "cannot notify the service manager: No such file or directory")
    ]


def test_a_manager_that_hangs_does_not_keep_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dimse.tools.ready.LONGEST_NOTICE", 0.1)
    # Its queue takes so many messages that it does not read.
    path = str(tmp_path / "s")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with manager(path.encode()):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, pytest.raises(BlockingIOError):
            other.setblocking(False)
            for _ in range(100_000):
                other.sendto(b"WATCHDOG=1", path)
        told = threading.Thread(target=notify, args=("STOPPING=1",), daemon=True)
        told.start()
        told.join(running.SECONDS)
        assert not told.is_alive()
    assert [record.getMessage() for record in caplog.records] == ["cannot notify the service manager: timed out"]


# --- deploy/ ---


def unit() -> dict[str, list[str]]:
    """Return the settings of the systemd unit, each with its values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "storescp.service").read_text().splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def container(instruction: str) -> list[str]:
    """Return the words of the container file's last instruction of this name that has them as a list."""
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{instruction} "))
    words: list[str] = json.loads(line[line.index("[") :])
    return words


def serves(folder: Path, arguments: list[str]) -> None:
    """Check that storescp runs with these arguments but `folder` and a free port, answers, and ends on SIGTERM with status 0."""
    assert arguments[-1] == "11112"
    arguments[arguments.index("-od") + 1] = str(folder)
    with running.start("storescp", *arguments[:-1], "0") as process:
        assert process.stderr is not None
        listening = next(line for line in process.stderr if line.startswith("I: Listening on 0.0.0.0:"))
        health = container("HEALTHCHECK")
        assert health[-1] == "11112"
        checked = running.tool(*health[:-1], listening.rpartition(":")[2].strip())
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=running.SECONDS)
        assert process.returncode == 0


def test_the_unit_runs_storescp(tmp_path: Path) -> None:
    (line,) = unit()["ExecStart"]
    program, *arguments = shlex.split(line)
    assert Path(program).name == "storescp"
    serves(tmp_path / "incoming", arguments)


def test_the_container_runs_storescp(tmp_path: Path) -> None:
    assert container("ENTRYPOINT") == ["storescp"]
    serves(tmp_path / "incoming", container("CMD"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("Type", "notify"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0077"),
    ],
)
def test_the_unit_confines_it(setting: str, value: str) -> None:
    assert unit()[setting] == [value]
    assert {"MemoryMax", "LimitNOFILE", "User", "StateDirectory", "TasksMax"} <= unit().keys()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    copy = tmp_path / "storescp.service"
    copy.write_text((DEPLOY / "storescp.service").read_text().replace("/opt/dimse/bin/storescp", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)],
        capture_output=True,
        text=True,
        timeout=running.SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

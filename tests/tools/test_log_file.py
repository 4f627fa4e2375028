"""--log-file, its rotation, and --log-time: no line is lost or torn, whatever happens to the file."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import dimse
from dimse.__main__ import main
from dimse.tools.log_file import FileHandler, RotatedFile, TimedFormatter
from tests.tools import running
from tests.tools.listeners import OPEN, Listener, listening

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
LINE = re.compile(rf"{TIME} [DIWEC]: .*")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the limit of another process can be changed on Linux only")


def files(path: Path) -> list[Path]:
    """Return the log file and those that were rotated, the oldest first."""
    numbered = [file for file in path.parent.iterdir() if re.fullmatch(rf"{path.name}\.\d+", file.name)]
    return [*sorted(numbered, key=lambda file: -int(file.suffix[1:])), path]


def lines(path: Path) -> list[str]:
    """Return the lines of the log, all of which are whole."""
    found: list[str] = []
    for file in files(path):
        text = file.read_text()
        assert text.endswith("\n")
        assert file.stat().st_mode & 0o777 == 0o600
        found += text.splitlines()
    assert [line for line in found if not LINE.fullmatch(line)] == []
    return found


def until(holds: Callable[[], bool]) -> None:
    """Return once something holds that another process is about to do."""
    last = time.monotonic() + running.SECONDS
    while not holds():
        assert time.monotonic() < last
        os.sched_yield()


# --- the lines


def formatted(message: str, *args: object) -> str:
    return TimedFormatter().format(logging.LogRecord("dimse", logging.ERROR, "", 0, message, args, None))


def test_a_line_begins_with_the_time_and_its_offset() -> None:
    assert re.fullmatch(f"{TIME} E: it is 3", formatted("it is %d", 3))


@pytest.mark.parametrize("forged", ["\n", "\r", "\r\n", "\x85", "\u2028", "\x1b[2K", "\x00"])
def test_a_text_in_a_line_cannot_pass_for_another_line(forged: str) -> None:
    text = formatted("%s", f"a{forged}2026-01-01T00:00:00.000+00:00 E: b")
    first, *others = text.split("\n")
    assert LINE.fullmatch(first) and first.isprintable()
    assert all(line.startswith("\t") and line[1:].isprintable() for line in others)
    assert text.splitlines() == [first, *others]


def test_a_traceback_is_one_record() -> None:
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        record = logging.LogRecord("dimse", logging.DEBUG, "", 0, "failed", (), sys.exc_info())
    first, *others = TimedFormatter().format(record).split("\n")
    assert first.endswith("D: failed") and len(others) > 3
    assert all(line.startswith("\t") for line in others)


# --- several processes

WRITER = """
import logging, sys
from dimse.tools.log_file import FileHandler, TimedFormatter
path, name, count = sys.argv[1:]
handler = FileHandler(path, 4096, 1000, logging.StreamHandler())
handler.setFormatter(TimedFormatter())
logger = logging.getLogger("dimse")
logger.addHandler(handler)
for number in range(int(count)):
    logger.error("%s %d %s", name, number, "x" * (number % 200))
"""


def test_no_line_of_several_processes_is_lost_or_torn_by_rotation(tmp_path: Path) -> None:
    path, count = tmp_path / "log", 1500
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(name), str(count)], stderr=subprocess.PIPE, text=True)
        for name in range(4)
    ]
    for writer in writers:
        assert writer.communicate(timeout=running.SECONDS)[1] == ""
    found = Counter(tuple(line.split()[2:4]) for line in lines(path))
    assert found == Counter((str(name), str(number)) for name in range(4) for number in range(count))
    # The other processes go on with a file that is full while one of them rotates it.
    assert len(files(path)) > 10


def call(listener: Listener, numbers: range) -> None:
    """Associate once with each of these AE titles."""
    for number in numbers:
        listener.echo(calling_ae_title=f"CALLER{number}")


@pytest.mark.thorough
def test_the_log_of_four_workers_is_complete(tmp_path: Path) -> None:
    path, count = tmp_path / "log", 800
    options = ["--workers", 4, "-v", "--log-file", path, "--log-rotate", "2K", "--log-keep", 1000]
    with listening("echoscp", *options) as listener:
        callers = [
            threading.Thread(target=call, args=(listener, range(first, count, 8)), daemon=True) for first in range(8)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(running.SECONDS)
        assert listener.end() == []
    found = lines(path)
    assert len(found) > 4 * count
    accepted = Counter(line.split()[4] for line in found if ": accepted " in line)
    assert accepted == Counter(f"CALLER{number}" for number in range(count))
    assert len(files(path)) > 50


# --- what happens to the file


def test_rotation_keeps_as_many_files_as_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = RotatedFile(str(path), 1024, 3)
    for number in range(100):
        log.append(b"%099d\n" % number)
    log.close()
    kept = files(path)
    assert [file.name for file in kept] == ["log.3", "log.2", "log.1", "log"]
    assert [int(line) for file in kept for line in file.read_text().split()] == list(range(60, 100))


def test_a_rotated_file_that_was_taken_away_moves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0" * 1024)
    for number in (1, 3):
        (tmp_path / f"log.{number}").write_text(str(number))
    log = RotatedFile(str(path), 1024, 3)
    log.append(b"new\n")
    log.close()
    assert [file.read_text()[:3] for file in files(path)] == ["3", "1", "000", "new"]


def test_the_first_line_of_a_day_begins_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = RotatedFile(str(path), 0, 7)
    log.append(b"one\n")
    log.append(b"two\n")
    yesterday = time.time() - 24 * 3600
    os.utime(path, (yesterday, yesterday))
    log.append(b"three\n")
    log.append(b"four\n")
    log.close()
    assert [file.read_text() for file in files(path)] == ["one\ntwo\n", "three\nfour\n"]


def test_a_log_that_cannot_be_rotated_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "log.1").mkdir()
    (tmp_path / "log.1" / "full").touch()
    with listening("echoscp", "-v", "--log-file", path, "--log-rotate", "1K", "--log-keep", 1) as listener:
        call(listener, range(20))
        (line,) = listener.end()
    assert line.startswith(f"W: cannot rotate the log file {path}, which grows: ")
    found = [line for line in path.read_text().splitlines() if ": accepted " in line]
    assert len(found) == 20


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_opens_the_file_again(tmp_path: Path, workers: int) -> None:
    path, moved = tmp_path / "log", tmp_path / "moved"
    with listening("echoscp", "-v", "--workers", workers, "--log-file", path) as listener:
        until(lambda: "Listening on" in path.read_text())
        path.rename(moved)
        listener.process.send_signal(signal.SIGHUP)
        until(lambda: path.exists() and path.read_text().count("Log file opened again") == workers)
        listener.echo(calling_ae_title="AFTER")
        assert listener.end() == []
    assert "Listening on" in moved.read_text() and "opened again" not in moved.read_text()
    assert any(": accepted AFTER " in line for line in lines(path))


def test_a_file_that_was_renamed_is_begun_anew_without_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with listening("echoscp", "-v", "--log-file", path) as listener:
        path.rename(tmp_path / "moved")
        listener.echo(calling_ae_title="AFTER")
        listener.end()
    assert any(": accepted AFTER " in line for line in lines(path))


def test_a_fifo_in_the_place_of_the_file_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    said: list[str] = []

    class Stderr(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler = FileHandler(str(path), None, 1, Stderr())
    handler.setFormatter(TimedFormatter())
    record = logging.LogRecord("dimse", logging.ERROR, "", 0, "one", (), None)
    handler.handle(record)
    path.unlink()
    os.mkfifo(path)
    handler.handle(record)
    assert len(said) == 1 and "cannot write the log file" in said[0]
    path.unlink()
    handler.handle(record)
    assert "1 line missing here" in path.read_text()
    handler.close()


def test_a_folder_that_is_removed_is_one_warning_until_it_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log"
    path.parent.mkdir()
    with listening("echoscp", "-v", "--log-file", path) as listener:
        shutil.rmtree(path.parent)
        call(listener, range(5))
        path.parent.mkdir()
        call(listener, range(5, 10))
        said = listener.end()
    words = "No such file or directory"
    assert said == [f"W: cannot write the log file {path}, and go on without it: {words}"]
    found = lines(path)
    gaps = [line for line in found if " missing here, " in line]
    assert len(gaps) == 1 and re.search(rf"W: \d+ lines? missing here, .*: {words}$", gaps[0])
    accepted = [line.split()[4] for line in found if ": accepted " in line]
    assert accepted == [f"CALLER{number}" for number in range(5, 10)]


@LINUX
def test_a_full_disk_is_one_warning_until_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "log"
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    with listening("echoscp", "-v", "--log-file", path) as listener:
        resource.prlimit(listener.process.pid, resource.RLIMIT_FSIZE, (path.stat().st_size + 30, unlimited[1]))
        call(listener, range(5))
        resource.prlimit(listener.process.pid, resource.RLIMIT_FSIZE, unlimited)
        call(listener, range(5, 10))
        said = listener.end()
    assert [line.partition(":")[0] for line in said] == ["W"]
    assert said[0].startswith(f"W: cannot write the log file {path}, and go on without it: ")
    found = path.read_text().splitlines()
    # The one line that was cut is on a line of its own.
    assert sum(not LINE.fullmatch(line) for line in found) <= 1
    assert sum(" missing here, " in line for line in found) == 1
    assert [line.split()[4] for line in found if ": accepted " in line][-5:] == [f"CALLER{n}" for n in range(5, 10)]


# --- the options


def test_stderr_has_only_warnings_and_errors_beside_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with listening("echoscp", "-v", "-ba", "0.0.0.0", "--log-file", path) as listener:
        listener.echo()
        said = listener.end()
    assert [line[:3] for line in said] == ["W: "] and OPEN in said[0]
    assert OPEN in path.read_text() and "accepted" in path.read_text()


def test_quiet_keeps_stderr_empty_and_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with dimse.Server(("127.0.0.1", 0)) as server:
        port = server.address[1]
    done = running.tool("echoscu", "127.0.0.1", port, "-q", "--log-file", path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert [line.split()[1] for line in lines(path)] == ["E:"] * len(lines(path)) != []


def test_a_json_log_goes_to_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with dimse.Server(("127.0.0.1", 0)) as server:
        done = running.tool("echoscu", *server.address, "-v", "--log-format", "json", "--log-file", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Requesting Association" in [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_stderr_has_times_on_request() -> None:
    with dimse.Server(("127.0.0.1", 0)) as server:
        done = running.tool("echoscu", *server.address, "-v", "--log-time")
    assert done.returncode == 0
    assert done.stderr and all(LINE.fullmatch(line) for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--log-rotate", "10M"], "--log-rotate and --log-keep are for --log-file"),
        (["--log-keep", "3"], "--log-rotate and --log-keep are for --log-file"),
        (["--log-file", "{}", "--log-rotate", "weekly"], "'weekly' is neither a size of 1K or more, such as 10M, nor"),
        (["--log-file", "{}", "--log-rotate", "10"], "'10' is neither a size of 1K or more"),
        (["--log-file", "{}"], "cannot write the log file {}: Is a directory"),
        (["--log-file", "/dev/null"], "cannot write the log file /dev/null: Not a regular file"),
        (["--log-file", "{}/none/log"], "cannot write the log file {}/none/log: No such file or directory"),
        (["--log-file", "{}/log", "--log-config", "x"], "--log-config does not go with --log-file"),
        (["--log-time", "--log-config", "x"], "--log-config does not go with --log-time"),
    ],
)
def test_options_that_cannot_be_are_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    for tool, *peer in (("echoscp", "0"), ("storescp", "0"), ("echoscu", "127.0.0.1", "1")):
        with pytest.raises(SystemExit) as left:
            main([tool, *peer, *(option.format(tmp_path) for option in options)])
        assert left.value.code == 2
        assert words.format(tmp_path) in capsys.readouterr().err

"""The option --log-file: a log in a file that several processes append to and that one of them rotates; and lines with times."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime

from dimse.logs.line_file import LineFile
from dimse.support.text import counted, one_line

RETRY_ROTATION = 60.0
"""Seconds after a rotation that has failed, until the next is tried."""


class TimedFormatter(logging.Formatter):
    """A formatter of lines that begin with the time: ISO 8601 in local time, with milliseconds and the offset from UTC.

    Characters that cannot be printed are escaped. The further lines of a record, such as those of a traceback, begin with a tab.
    So no text in a record can pass for another record.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time of a record."""
        return datetime.fromtimestamp(record.created, UTC).astimezone().isoformat(timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return "\n\t".join(one_line(line, len(line)) for line in super().format(record).split("\n"))


class RotatedFile(LineFile):
    """A file of lines that is rotated: `F` becomes `F.1`, `F.1` becomes `F.2`, and the oldest is replaced.

    Several processes may append to it. The process whose line is due for a new file renames the old one, under a lock that it does
    not wait for. The other processes notice that at their next line. A line that is being written meanwhile is in the old file.

    Args:
        path: The file; a symbolic link is followed. If it does not exist, it is created for its owner only (0600).
        size: Bytes that the file may have; 0 for a new file each day, in local time; None for no rotation.
        keep: Rotated files that are kept.

    Attributes:
        fault: The error of the last rotation; None if it succeeded. The file is appended to nevertheless.

    Raises:
        OSError: The file cannot be opened, or is not a regular file.
    """

    def __init__(self, path: str, size: int | None, keep: int) -> None:
        path = os.path.realpath(path)
        # Opening a FIFO waits for its reader, and a device cannot be rotated.
        if os.path.exists(path) and not os.path.isfile(path):
            code = errno.EISDIR if os.path.isdir(path) else errno.EINVAL
            raise OSError(code, os.strerror(code) if code == errno.EISDIR else "Not a regular file", path)
        self._size, self._keep = size, keep
        self.fault: OSError | None = None
        self._retry_at = 0.0
        super().__init__(path)
        os.register_at_fork(after_in_child=self._become_child)

    def _become_child(self) -> None:
        """Close the file of the parent process: a lock belongs to an open file, and this process needs its own."""
        # A thread of the parent may have held the lock, and there is no such thread here.
        self._lock = threading.Lock()
        self._close()

    def _is_finished(self, more: int) -> bool:
        here = os.fstat(self._file)
        return self._has_moved(here) or (self._is_due(here, more) and self._rotate(here))

    def _is_due(self, here: os.stat_result, more: int) -> bool:
        if self._size is None or not here.st_size:
            return False
        if self._size:
            return here.st_size + more > self._size
        return time.localtime(here.st_mtime)[:3] < time.localtime()[:3]

    def _rotate(self, here: os.stat_result) -> bool:
        """Rename the file unless another process does; return True if the path names another file afterwards, or none."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another process may have rotated the file before the lock was taken.
            if not self._has_moved(here):
                self._rename()
        except BlockingIOError:
            return False
        except OSError as error:
            self.fault, self._retry_at = error, time.monotonic() + RETRY_ROTATION
            with suppress(OSError):
                fcntl.flock(self._file, fcntl.LOCK_UN)
            return False
        self.fault = None
        # Closing the file ends the lock.
        return True

    def _rename(self) -> None:
        names = [self.path, *(f"{self.path}.{number}" for number in range(1, self._keep + 1))]
        free = next((number for number, name in enumerate(names) if not os.path.lexists(name)), self._keep)
        for number in range(free, 0, -1):
            os.replace(names[number - 1], names[number])


class FileHandler(logging.Handler):
    """A handler that appends records to a log file, each with one write.

    A log that cannot be written never stops the program: that is one warning on stderr. The records are counted until the file can
    be written again, and the number is a line in the file.

    Args:
        path: The file.
        size: Bytes that the file may have; 0 for a new file each day; None for no rotation.
        keep: Rotated files that are kept.
        stderr: The handler that gets the warnings about the file.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: str, size: int | None, keep: int, stderr: logging.Handler) -> None:
        super().__init__()
        self._file = RotatedFile(path, size, keep)
        self._stderr = stderr
        # The records that are not in the file, and why.
        self._missing, self._why = 0, ""
        self._rotates = True
        self._warnings: deque[logging.LogRecord] = deque()

    def handle(self, record: logging.LogRecord) -> bool:
        """Append a record, and warn on stderr if that fails."""
        handled = bool(super().handle(record))
        # Without the lock of this handler: a thread that has the lock of stderr may wait for this one.
        while self._warnings:
            with suppress(IndexError):
                self._stderr.handle(self._warnings.popleft())
        return handled

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        try:
            lines = self._encoded(record)
            if self._missing:
                gap = (
                    f"{counted(self._missing, 'line')} missing here, for the log file could not be written: {self._why}"
                )
                lines = self._encoded(_warning(gap)) + lines
        except Exception:
            self.handleError(record)
            return
        try:
            self._file.append(lines)
        except OSError as error:
            self._missing, self._why = self._missing + 1, error.strerror or str(error)
            if self._missing == 1:
                self._warn("cannot write the log file %s, and go on without it: %s", self._why)
        else:
            self._missing = 0
            self._note_rotation()

    def _encoded(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode("utf-8", "backslashreplace") + b"\n"

    def _note_rotation(self) -> None:
        """Warn once if the file cannot be rotated, until it can."""
        fault, rotates = self._file.fault, self._rotates
        self._rotates = fault is None
        if fault is not None and rotates:
            self._warn("cannot rotate the log file %s, which grows: %s", fault.strerror or str(fault))

    def _warn(self, words: str, why: str) -> None:
        record = _warning(words % (one_line(self._file.path), why))
        if record.levelno >= self._stderr.level:
            self._warnings.append(record)

    def reopen(self) -> None:
        """Close the file; the next record opens it again."""
        self._file.close()

    def close(self) -> None:
        """Close the file and the handler."""
        self._file.close()
        super().close()


def _warning(words: str) -> logging.LogRecord:
    return logging.LogRecord("dimse.tools", logging.WARNING, "", 0, words, None, None)

"""A file to which lines are appended, by several processes and while a log rotation may rename it."""

from __future__ import annotations

import os
import threading


class LineFile:
    """A file that is appended to in whole lines, each with one write, so that lines of several processes do not mix.

    After the file was renamed or removed, for example by a log rotation, the next line begins a new file. Any number of threads may
    use it.

    Args:
        path: The file; if it does not exist, it is created for its owner only (0600).

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._lock = threading.Lock()
        self._file = self._open()
        self._torn = False  # the last line is incomplete

    def append(self, line: bytes) -> None:
        """Append a line, including its end of line.

        Raises:
            OSError: The line was not written, or not completely.
        """
        with self._lock:
            if self._file < 0 or self._is_finished(len(line)):
                self._close()
                self._file, self._torn = self._open(), False
            whole = b"\n" + line if self._torn else line
            written = os.write(self._file, whole)
            self._torn = written < len(whole)
            if self._torn:
                raise OSError(f"only {written} of {len(whole)} bytes of a line were written to {self.path}")

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        # Opening a FIFO without a reader would wait for one.
        file = os.open(self.path, flags | os.O_NONBLOCK, 0o600)
        os.set_blocking(file, True)
        return file

    def _is_finished(self, more: int) -> bool:
        """Return True if the next line, of `more` bytes, belongs into another file than the one that is open."""
        return self._has_moved(os.fstat(self._file))

    def _has_moved(self, here: os.stat_result) -> bool:
        """Return True if the path names another file than the one with this status, or none."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, here)

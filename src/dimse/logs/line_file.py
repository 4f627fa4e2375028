"""A file that lines are appended to, by several processes and while somebody rotates it."""

from __future__ import annotations

import os
import threading


class LineFile:
    """Appends lines, each in one write, so that those of several processes do not mix.

    When the file was renamed or removed, as log rotation does, the next line begins a new one. Safe in any number of threads.

    Args:
        path: The file; made for its owner only (0600) if it does not exist.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._lock = threading.Lock()
        self._file = self._open()
        self._torn = False  # the last line is not whole

    def append(self, line: bytes) -> None:
        """Append a line, which ends with its end of line.

        Raises:
            OSError: It was not written, or not as a whole.
        """
        with self._lock:
            if self._file < 0 or self._has_moved():
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
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o600)

    def _has_moved(self) -> bool:
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._file))

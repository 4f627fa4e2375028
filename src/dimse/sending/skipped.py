"""The files and folders that a search passes over: counted, and logged in a few lines at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dimse.logs.notices import notice
from dimse.support.text import counted, one_line
from dimse.support.values import field, record


@record
class Skipped:
    """The counts of files and folders that a search has passed over.

    Attributes:
        recurse_hint: The words by which a user asks that folders are read all the way down.
        not_dicom: Files that neither begin as a DICOM file nor are named `.dcm`.
        hidden: Files and folders whose names begin with a dot.
        unread: Folders that were not read because they are more than one level deep.
        empty: Named folders that hold only folders and hidden files.
        tell_each: Called with the path and the reason of each, in the thread that searches; None if nothing is to be told.
    """

    recurse_hint: str
    not_dicom: int = 0
    hidden: int = 0
    unread: int = 0
    empty: list[str] = field(default_factory=list)
    tell_each: Callable[[str, str], object] | None = None

    def pass_over(self, path: str, reason: str) -> None:
        """Tell that a file or folder is passed over."""
        if self.tell_each is not None:
            self.tell_each(path, reason)

    @property
    def any(self) -> bool:
        """True if anything was passed over."""
        return bool(self._lines())

    def tell(self, logger: logging.Logger, *, found_any: bool) -> None:
        """Log the counts, as notices if nothing else was found, because they are the reason then."""
        for reason, line in self._lines():
            if found_any:
                logger.warning("%s", line)
            else:
                notice(reason, "", "%s", line)

    def _lines(self) -> list[tuple[str, str]]:
        lines = []
        if self.not_dicom:
            lines.append(("not DICOM", f"{counted(self.not_dicom, 'file')} skipped: not DICOM"))
        if self.unread:
            below = counted(self.unread, "subfolder")
            lines.append(("unread", f"{below} not read: use {self.recurse_hint} to send what is in subfolders"))
        if self.hidden:
            lines.append(("hidden", f"{counted(self.hidden, 'hidden file')} skipped"))
        return lines + [("empty", one_line(f"{folder}: the folder is empty")) for folder in self.empty]

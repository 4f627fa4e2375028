"""`dimse archive import`: take files into an archive, skip those that are there, and count what is no DICOM file."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator

from dimse.archive.index import Index
from dimse.archive.index.importing import JOBS, Imported, Importer
from dimse.archive.layout import OF_AN_ARCHIVE
from dimse.logs.notices import LOGGER as NOTICES
from dimse.support.text import counted, one_line
from dimse.tools import archive_places, running, wording
from dimse.tools.archive_output import print_line, print_object
from dimse.tools.archive_progress import Progress
from dimse.tools.summarizing import files_below

# The fates of files, as the summary names them.
_WORDS = {
    "imported": "imported",
    "there": "there already",
    "duplicate": "kept beside another data set",
    "replaced": "served in place of another data set",
    "rejected": "rejected for another data set",
    "not DICOM": "not DICOM",
    "damaged": "damaged",
    "failed": "failed",
}


def import_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Import the files that the arguments name, and return the exit status."""
    unreadable = [path for path in options.arguments if not os.path.exists(path)]
    for path in unreadable:
        logger.error("Cannot access path: %s: no such file or directory", one_line(path))
    if len(unreadable) == len(options.arguments):
        return running.SHORTFALL
    with (
        archive_places.opened(options, creates=True, on_duplicate=options.on_duplicate or "keep-both") as index,
        _importer(options, index) as importer,
    ):
        if not index.start():
            logger.info("The index is being recovered")
            index.recover()
        quiet_store()
        run = _Import(options, logger, index.folder)
        run.has_fault = bool(unreadable)
        return run.run(importer, [path for path in options.arguments if path not in unreadable])


def quiet_store() -> None:
    """Leave it to the tool to log what becomes of each file: the store does not know their paths."""
    for name in ("dimse.archive", NOTICES.name):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _importer(options: argparse.Namespace, index: Index) -> Importer:
    """Return the importer.

    Raises:
        UnusableArchive: The archive is in use, or cannot be written to.
    """
    try:
        return Importer(
            index,
            links=options.link,
            layout=options.layout or OF_AN_ARCHIVE,
            durability=options.durability or "full",
            jobs=options.jobs or JOBS,
        )
    except BlockingIOError as error:
        raise archive_places.in_use(index.folder) from error
    except OSError as error:
        raise archive_places.UnusableArchive(wording.reason_with_path(error)) from error


class _Import:
    """An import: its counts, its log, and its end.

    Attributes:
        has_fault: True if a file was not taken that should be.
    """

    def __init__(self, options: argparse.Namespace, logger: logging.Logger, folder: str) -> None:
        self._options, self._logger, self._folder = options, logger, os.path.realpath(folder)
        self._fates: Counter[str] = Counter()
        self._links = self._bytes = 0
        self._progress = Progress()
        self._named: set[str] = set()
        self.has_fault = False

    def run(self, importer: Importer, paths: list[str]) -> int:
        """Import all files, and return the exit status. A summary comes at the end, after Ctrl-C too."""
        started = time.monotonic()
        self._named = {path for path in paths if not os.path.isdir(path)}
        try:
            with self._progress.bar(enabled=not self._options.no_progress):
                for imported in importer.take(self._files(paths)):
                    self._add(imported)
            if importer.is_given_up:
                self._logger.error("The import is given up: run it again once the archive can be written to")
        finally:
            self._conclude(time.monotonic() - started)
        if not sum(self._fates[fate] for fate in _WORDS if fate != "not DICOM") and not self.has_fault:
            self._logger.error("No suitable DICOM files found")
            return running.SHORTFALL
        return running.SHORTFALL if self.has_fault else running.SUCCESS

    def _files(self, paths: list[str]) -> Iterator[str]:
        """Yield the files, without those that the archive has in its own folder."""
        for path in paths:
            for file in files_below(path):
                if isinstance(file, OSError):
                    self.has_fault = True
                    self._logger.error("Cannot access path: %s", wording.reason_with_path(file))
                elif not os.path.realpath(file).startswith(self._folder + os.sep):
                    yield file

    def _add(self, imported: Imported) -> None:
        """Count a file, and log it if it was not taken."""
        fate = imported.fate
        is_claimed = imported.path in self._named or imported.path.lower().endswith(".dcm")
        if fate == "not DICOM" and is_claimed and "DICOMDIR" not in imported.why:
            fate = "damaged"
        self._fates[fate] += 1
        self._links += imported.is_linked
        if fate in ("imported", "duplicate", "replaced"):
            self._bytes += imported.size
        self._progress.add(imported.size)
        path, why = one_line(imported.path), one_line(imported.why)
        if fate in ("damaged", "failed", "rejected"):
            self.has_fault = True
            self._progress.failed += 1
            words = "Bad DICOM file: %s: %s" if fate == "damaged" else "Cannot import %s: %s"
            self._logger.error(words, path, why)
        elif fate == "not DICOM":
            self._logger.debug("skipped %s: %s", path, why)
        elif fate == "duplicate":
            self._logger.warning("%s is kept beside another data set with its SOP Instance UID", path)

    def _conclude(self, seconds: float) -> None:
        """Print what became of the files."""
        content = {
            "files": sum(self._fates.values()),
            **{name.lower().replace(" ", "_"): self._fates[name] for name in _WORDS},
            "linked": self._links,
            "bytes": self._bytes,
            "seconds": round(seconds, 3),
        }
        if self._options.format != "table":
            print_object(content)
            return
        said = [f"{self._fates[fate]:,} {words}" for fate, words in _WORDS.items() if self._fates[fate]]
        linked = f" ({self._links:,} as hard links)" if self._links else ""
        files = counted(sum(self._fates.values()), "file", separator=",")
        print_line(f"{files}: {', '.join(said) or 'none'}{linked}, {self._bytes / 1e6:,.1f} MB in {seconds:.1f} s")

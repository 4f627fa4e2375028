"""`dimse archive export`: copy the files of what keys select into another folder. It may run beside a qrscp."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator

from dimse.archive.file_store import FileStore
from dimse.archive.filing import filled, instance_of
from dimse.archive.index.row import Location
from dimse.archive.layout import OF_AN_ARCHIVE
from dimse.errors import FileError
from dimse.instances import InstanceFile
from dimse.message.status import OUT_OF_RESOURCES
from dimse.support.text import counted, one_line
from dimse.tools import archive_places, running, wording
from dimse.tools.archive_import import quiet_store
from dimse.tools.archive_listing import identifier_of, question_of
from dimse.tools.archive_output import print_line, print_object
from dimse.tools.archive_progress import Progress


def export_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Copy the files of the instances that match the keys, and return the exit status."""
    identifier = identifier_of(options, logger, "IMAGE", "SOPInstanceUID")
    has_keys = any(attribute.values for tag, attribute in identifier.attributes.items() if tag != 0x00080052)
    if not has_keys and not options.everything:
        raise archive_places.UnusableArchive("export needs a key, such as --study-uid, or --everything")
    question = question_of(identifier, "IMAGE")
    with archive_places.opened(options) as index, _target(options, index.folder) as store:
        found = (entity.location for entity in index.search("IMAGE", question.keys, root="patient"))
        quiet_store()
        export = _Export(options, logger, store)
        return export.run(found)


def _target(options: argparse.Namespace, folder: str) -> FileStore:
    """Return the store of the folder to write to.

    Raises:
        UnusableArchive: It cannot be used.
    """
    target = options.arguments[0]
    own = os.path.realpath(folder)
    if os.path.commonpath([own, os.path.realpath(target)]) == own:
        raise archive_places.UnusableArchive(f"{one_line(target)} is in the folder of the archive")
    try:
        return FileStore(target, layout=options.layout or OF_AN_ARCHIVE)
    except BlockingIOError as error:
        raise archive_places.in_use(target) from error
    except OSError as error:
        raise archive_places.UnusableArchive(wording.reason_with_path(error)) from error


class _Export:
    """An export: its counts, and its log."""

    def __init__(self, options: argparse.Namespace, logger: logging.Logger, store: FileStore) -> None:
        self._options, self._logger, self._store = options, logger, store
        self._counts: Counter[str] = Counter()
        self._bytes = 0

    def run(self, locations: Iterator[Location]) -> int:
        """Copy files, and return the exit status. A summary comes at the end, after Ctrl-C too."""
        started, progress = time.monotonic(), Progress()
        try:
            with progress.bar(enabled=not self._options.no_progress):
                for location in locations:
                    if not self._copy(location):
                        break
                    progress.add(location.size)
        finally:
            self._conclude(time.monotonic() - started)
        if not sum(self._counts.values()):
            self._logger.error("Nothing matched")
            return running.SHORTFALL
        return running.SHORTFALL if self._counts["failed"] else running.SUCCESS

    def _copy(self, location: Location) -> bool:
        """Copy a file, and return False if the folder takes no further ones."""
        try:
            file = InstanceFile.check(location.path)
            instance = instance_of(file)
            sink, is_linked = filled(self._store, instance, file, links=self._options.link)
        except FileError as error:
            self._fail(location, error.reason)
            return True
        try:
            instance.sink = sink
            status = self._store.store(instance)
        finally:
            sink.discard()
        if int(status):
            self._fail(location, status.comment)
            return int(status) != OUT_OF_RESOURCES
        self._counts["linked" if is_linked else "copied"] += 1
        self._bytes += location.size
        return True

    def _fail(self, location: Location, why: str) -> None:
        self._counts["failed"] += 1
        self._logger.error("Cannot export %s: %s", one_line(location.path), one_line(why))

    def _conclude(self, seconds: float) -> None:
        copied, linked, failed = (self._counts[name] for name in ("copied", "linked", "failed"))
        if self._options.format != "table":
            print_object({"copied": copied, "linked": linked, "failed": failed, "bytes": self._bytes})
            return
        links = f" ({linked:,} as hard links)" if linked else ""
        words = f", {failed:,} failed" if failed else ""
        files = counted(copied + linked, "file", separator=",")
        print_line(f"Exported {files}{links}, {self._bytes / 1e6:,.1f} MB in {seconds:.1f} s{words}")

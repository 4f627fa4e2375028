"""The work of `dimse summary`: the totals of reports, of which all rows count, and of files, of which only the headers are read."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress

from dimse import uids
from dimse.data_set.walk import peek
from dimse.media import part10
from dimse.tools import running, wording
from dimse.tools.report_formats import OF_STUDY, UnusableReport, format_of, read, written_name
from dimse.tools.totals import MODALITY, STUDY_INSTANCE_UID, Totals

# Bytes of a file that are read first.
HEAD = 16_384


def summarize(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Print the totals, and return the exit status."""
    totals = Totals(has_outcomes=any(map(_is_report, options.path)))
    has_fault = False
    for path in options.path:
        for fault in _add(totals, path):
            has_fault = True
            logger.error("%s", fault)
    if options.json:
        print_json(totals)
    else:
        totals.print()
    if not (totals.all.files or has_fault):
        logger.error("No suitable DICOM files found")
    return running.SHORTFALL if has_fault or not totals.all.files else running.SUCCESS


def print_json(totals: Totals) -> None:
    """Print totals as one object of JSON."""
    import json

    from dimse.tools.tables import printing

    with printing():
        sys.stdout.write(json.dumps(totals.document(), indent=1) + "\n")


def _is_report(path: str) -> bool:
    try:
        format_of(written_name(path))
    except ValueError:
        return False
    return os.path.isfile(path)


def _add(totals: Totals, path: str) -> Iterator[str]:
    """Add a report, a file or what is in a folder, and yield a line for each thing that cannot be read."""
    if _is_report(path):
        try:
            for row in read(path):
                if not row["outcome"].startswith(OF_STUDY):
                    totals.add_row(row)
        except UnusableReport as error:
            yield str(error)
        return
    for file in files_below(path):
        try:
            if isinstance(file, OSError):
                raise file
            _add_file(totals, file)
        except OSError as error:
            yield f"Cannot access path: {wording.reason_with_path(error)}"


def files_below(path: str) -> Iterator[str | OSError]:
    """Yield a file, or the files of a folder all the way down, and the error of a folder that cannot be read.

    Names that begin with a dot are passed over. Links to folders are not followed. Of the names, only those of folders are held.
    """
    if not os.path.isdir(path):
        yield path
        return
    # A tree may be deeper than functions can be nested.
    folders = [path]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif _is_file(entry):
                        yield entry.path
        except OSError as error:
            yield error


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return True for a file, and for a link that leads to nothing because it is part of a loop: opening it tells why."""
    try:
        return entry.is_file()
    except OSError:
        return True


def _add_file(totals: Totals, path: str) -> None:
    """Add a file of which only the headers are read.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size, meta = os.fstat(descriptor).st_size, None
        with suppress(part10.NotPart10):
            meta = part10.parse(os.pread(descriptor, HEAD, 0)) or part10.parse(
                os.pread(descriptor, part10.MAXIMUM_SIZE, 0)
            )
        if meta is None or meta.media_storage_sop_class_uid == uids.MediaStorageDirectoryStorage:
            totals.skipped += 1
            return
        start = meta.data_set_offset
        found = peek(
            lambda offset, length: os.pread(descriptor, length, start + offset),
            size - start,
            uids.transfer_syntax(meta.transfer_syntax_uid or uids.ExplicitVRLittleEndian),
            (STUDY_INSTANCE_UID, MODALITY),
        )
        totals.add(found.get(STUDY_INSTANCE_UID, ""), found.get(MODALITY, ""), size - start)
    finally:
        os.close(descriptor)

"""`dimse archive delete`, `move-study` and `clean`, which change an archive. The first two may run beside a qrscp."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator

from dimse.archive.index import Index
from dimse.data_set.attributes import Attribute
from dimse.support.text import counted, one_line
from dimse.tools import archive_places, running, wording
from dimse.tools.archive_listing import level_of
from dimse.tools.archive_output import print_rows

_STUDY_INSTANCE_UID = 0x0020000D


def delete_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Delete a study, a series or an instance, and return the exit status."""
    word, uid = options.arguments
    level = level_of(word)
    with archive_places.opened(options) as index:
        deleted = index.delete(level, uid)
    if not deleted.instances:
        logger.error("The archive has no %s %s", word.lower(), one_line(uid, 64))
        return running.SHORTFALL
    columns = {"instances": ">instances", "files": ">files", "bytes": ">bytes", "studies": "studies"}
    row = deleted.instances, deleted.files, deleted.size, "\\".join(deleted.studies)
    print_rows(options.format, columns, [row])
    return running.SUCCESS


def move_study_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Give a study to another patient, and return the exit status."""
    uid, patient_id = options.arguments
    with archive_places.opened(options) as index:
        try:
            is_moved = index.move_study(uid, patient_id, options.issuer or "")
        except ValueError as error:
            raise archive_places.UnusableArchive(str(error)) from error
    if not is_moved:
        logger.error("The archive has no study %s", one_line(uid, 64))
        return running.SHORTFALL
    columns = {"study_instance_uid": "Study Instance UID", "patient_id": "Patient ID", "issuer": "Issuer"}
    print_rows(options.format, columns, [(uid, patient_id, options.issuer or "")])
    return running.SUCCESS


def clean_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Delete everything after a question, and return the exit status: 1 if something stayed."""
    with archive_places.opened(options) as index, archive_places.alone(index.folder):
        counts = index.counts()
        if not options.yes and not _is_agreed(index, counts["studies"], counts["instances"]):
            logger.error("Nothing was removed: clean needs yes on a terminal, or --yes")
            return running.NO_ASSOCIATION
        instances = files = 0
        for uid in _studies(index):
            try:
                deleted = index.delete("STUDY", uid)
            except OSError as error:
                logger.error("%s", wording.reason_with_path(error))
                return running.NO_ASSOCIATION
            instances, files = instances + deleted.instances, files + deleted.files
        left = _left(index.folder)
    columns = {"instances": ">instances", "files": ">files", "left": ">left"}
    print_rows(options.format, columns, [(instances, files, left)])
    if left:
        logger.error("%s stayed in the folder: the index does not have them", counted(left, "file"))
        return running.NO_ASSOCIATION
    return running.SUCCESS


def _is_agreed(index: Index, studies: int, instances: int) -> bool:
    """Ask on the terminal whether everything is to be removed."""
    if not sys.stdin.isatty():
        return False
    what = f"{counted(studies, 'study', 'studies', separator=',')} with {counted(instances, 'instance', separator=',')}"
    print(
        f"Remove {what} and their files from {one_line(index.folder)}? [yes/no] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip() == "yes"


def _studies(index: Index) -> Iterator[str]:
    """Yield the UIDs of all studies. Studies are deleted meanwhile, so the first ones are asked for again and again."""
    keys = {_STUDY_INSTANCE_UID: Attribute("UI", ())}
    while True:
        found = [entity[_STUDY_INSTANCE_UID].values[0] for entity in index.search("STUDY", keys, limit=500)]
        if not found:
            return
        yield from found


def _left(folder: str) -> int:
    """Return the number of files in a folder and below it, without hidden ones."""
    return sum(not name.startswith(".") for _, _, names in os.walk(folder) for name in names)

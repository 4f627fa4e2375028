"""`dimse archive list`, `stats` and `duplicates`: what an archive has. All may run beside a qrscp that serves it."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
from collections.abc import Iterator
from typing import cast

from dimse import tags
from dimse.archive.index import Index
from dimse.archive.index.attributes import Level
from dimse.archive.index.levels import Root
from dimse.archive.index.statistics import by_modality, span
from dimse.archive.question import RETRIEVE_AE_TITLE, Question
from dimse.data_set.identifier import Identifier
from dimse.matching import Rules, UnfitKey
from dimse.services.information_models import LEVEL, UNIQUE_KEYS
from dimse.support.text import counted, one_line
from dimse.tools import archive_places, query_options, running
from dimse.tools.archive_output import print_line, print_object, print_rows, time_text
from dimse.tools.find_output import Output
from dimse.tools.tables import Cell

# The columns of a list, where no key is asked for.
COLUMNS = {
    "PATIENT": "PatientID,PatientName,PatientBirthDate,PatientSex,NumberOfPatientRelatedStudies,NumberOfPatientRelatedInstances",
    "STUDY": "StudyDate,PatientID,PatientName,ModalitiesInStudy,StudyDescription,NumberOfStudyRelatedSeries"
    ",NumberOfStudyRelatedInstances,StudyInstanceUID",
    "SERIES": "SeriesNumber,Modality,SeriesDescription,NumberOfSeriesRelatedInstances,SeriesInstanceUID",
    "IMAGE": "SeriesNumber,InstanceNumber,SOPClassUID,SOPInstanceUID",
}


def identifier_of(options: argparse.Namespace, logger: logging.Logger, level: str, shown: str) -> Identifier:
    """Return the keys of the command line, with those that are to be shown.

    Raises:
        UnusableArchive: A key cannot be used.
    """
    given = argparse.Namespace(**vars(options))
    given.level, given.model, given.operation = level, "patient" if level == "PATIENT" else "study", "find"
    given.file, given.files, given.charset, given.no_infer = [], [], None, False
    if not getattr(given, "return"):
        setattr(given, "return", [shown] if shown else [])
    try:
        return query_options.identifiers(given, logger)[0]
    except query_options.UnusableKeys as error:
        raise archive_places.UnusableArchive(str(error)) from error


def question_of(identifier: Identifier, level: str) -> Question:
    """Return what the index is asked.

    Raises:
        UnusableArchive: A key does not fit the level.
    """
    levels = ("PATIENT", "STUDY", "SERIES", "IMAGE")
    try:
        return Question(identifier, level, levels, Rules(), "")
    except UnfitKey as error:
        raise archive_places.UnusableArchive(f"{tags.label(error.tag)} {one_line(str(error))}") from error


def level_of(word: str) -> Level:
    """Return the level that a word of the command line names."""
    return cast(Level, {"INSTANCE": "IMAGE"}.get(word.upper(), word.upper()))


def list_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """List the entities of a level, and return the exit status."""
    level = level_of(options.arguments[0] if options.arguments else "study")
    identifier = identifier_of(options, logger, level, COLUMNS[level])
    question = question_of(identifier, level)
    asked = [tag for tag in identifier.attributes if tag not in (LEVEL, tags.SPECIFIC_CHARACTER_SET)]
    order = _in_order(options, asked, level)
    output = Output(options.format, options.columns or order, options.sort, logger)
    output.unique_key = UNIQUE_KEYS[level]
    with archive_places.opened(options) as index:
        output.begin()
        for match in _matches(index, question, level, options.limit or 0):
            output.add(match)
        output.end()
    return running.SUCCESS


def _in_order(options: argparse.Namespace, asked: list[int], level: str) -> list[int]:
    """Return the columns: those of the level as they are listed, and behind them other keys."""
    if getattr(options, "return"):
        return asked
    usual = [tag for keyword in COLUMNS[level].split(",") if (tag := tags.find(keyword)) is not None]
    return [*usual, *(tag for tag in asked if tag not in usual)]


def _matches(index: Index, question: Question, level: Level, limit: int) -> Iterator[Identifier]:
    root: Root = "patient" if level == "PATIENT" else "study"
    unique = UNIQUE_KEYS[level]
    for entity in index.search(level, question.keys, root=root, limit=limit):
        attributes = dict(question.response(entity).attributes)
        for tag in (LEVEL, RETRIEVE_AE_TITLE):
            attributes.pop(tag, None)
        if unique not in attributes and (attribute := entity.get(unique)) is not None:
            attributes[unique] = attribute
        yield Identifier(attributes)


def stats_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """Print the numbers of an archive, and return the exit status."""
    places = archive_places.places_of(options)
    with archive_places.opened(options) as index:
        counts, when = dict(index.counts()), span(index.database)
        modalities = by_modality(index.database)
        folder, database = index.folder, index.database.name
        index_size = sum(_size(f"{database}{suffix}") for suffix in ("", "-wal")) if places.is_file else 0
    rows: list[tuple[str, str, Cell, Cell, Cell]] = []
    for each in modalities:
        rows.append((each.modality, each.modality, each.studies, each.series, each.instances))
    free = shutil.disk_usage(folder).free
    if options.format in ("json", "jsonl"):
        print_object(
            {
                **counts,
                "index_size": index_size,
                "free": free,
                "first_study_date": when.first_study,
                "last_study_date": when.last_study,
                "last_received": time_text(when.last_received),
                "folder": one_line(folder),
                "index": one_line(database),
                "modalities": {row[0]: {"studies": row[2], "series": row[3], "instances": row[4]} for row in rows},
            }
        )
        return running.SUCCESS
    columns = {"modality": "modality", "studies": ">studies", "series": ">series", "instances": ">instances"}
    total: tuple[Cell, ...] = ("all", counts["studies"], counts["series"], counts["instances"])
    print_rows(options.format, columns, [*(row[1:] for row in rows), total])
    if options.format == "table":
        print_line("")
        for line in _lines(counts, index_size, free):
            print_line(line)
        if when.first_study:
            print_line(
                f"studies of {when.first_study} to {when.last_study}; last received {time_text(when.last_received)}"
            )
        print_line(f"files in {one_line(folder)}, index {one_line(database)}")
    return running.SUCCESS


def _lines(counts: dict[str, int], index_size: int, free: int) -> Iterator[str]:
    patients, duplicates = counted(counts["patients"], "patient", separator=","), counts["duplicates"]
    beside = f", {counted(duplicates, 'duplicate', separator=',')}" if duplicates else ""
    yield f"{patients}, {_bytes(counts['size'])}{beside}"
    yield f"index {_bytes(index_size)}, {_bytes(free)} free" if index_size else f"{_bytes(free)} free"


def _bytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 10e9 else f"{size / 1e6:,.1f} MB"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def duplicates_command(options: argparse.Namespace, logger: logging.Logger) -> int:
    """List the files that are kept beside the instances that are served, and return the exit status."""
    columns = {
        "sop_instance_uid": "SOP Instance UID",
        "study_instance_uid": "Study Instance UID",
        "why": "why",
        "received": "received",
        "calling_ae_title": "from",
        "file": "file",
    }
    with archive_places.opened(options) as index:
        rows = (
            (
                each.sop_instance_uid,
                each.study_instance_uid,
                each.why,
                time_text(each.received),
                each.calling_ae_title,
                each.path,
            )
            for each in index.duplicates()
        )
        print_rows(options.format, columns, rows)
    return running.SUCCESS

"""The options of the tools that query and retrieve: the information model and the keys."""

from __future__ import annotations

import argparse
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dimse.data_set.source import MalformedDataSet
from dimse.services.information_models import LEVEL, UNIQUE_KEYS, InformationModel, Operation, find_model
from dimse.support.text import one_line
from dimse.tools import wording
from dimse.tools.command_line import Parser
from dimse.tools.options import Row, add_group, add_rows, choice, common, constant, flag, option, repeatable, validated
from dimse.tools.requesting import PRIORITIES

if TYPE_CHECKING:
    import logging

    from dimse.data_set.attributes import Attributes
    from dimse.data_set.identifier import Identifier
    from dimse.data_set.keys import Tree

# Bytes of a file with keys: as of an identifier.
MOST_BYTES = 4 * 1024 * 1024

# Keys that are asked for together by one name.
RETURN_SETS = {
    "@study": "StudyInstanceUID,StudyDate,StudyTime,AccessionNumber,PatientID,PatientName,StudyID,StudyDescription"
    ",ModalitiesInStudy,NumberOfStudyRelatedSeries,NumberOfStudyRelatedInstances",
    "@series": "StudyInstanceUID,SeriesInstanceUID,Modality,SeriesNumber,SeriesDescription,NumberOfSeriesRelatedInstances",
    "@image": "StudyInstanceUID,SeriesInstanceUID,SOPInstanceUID,SOPClassUID,InstanceNumber",
    "@worklist": "PatientName,PatientID,PatientBirthDate,PatientSex,AccessionNumber,RequestedProcedureID"
    ",ScheduledProcedureStepSequence[0].ScheduledStationAETitle"
    ",ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartDate"
    ",ScheduledProcedureStepSequence[0].ScheduledProcedureStepStartTime"
    ",ScheduledProcedureStepSequence[0].Modality,ScheduledProcedureStepSequence[0].ScheduledProcedureStepDescription",
}

MODEL_FLAGS = (
    constant("-P --patient", "model", "patient", "Patient Root (the default)"),
    common(constant("-S --study", "model", "study", "Study Root")),
    constant("-O --psonly", "model", "patient-study-only", "Patient/Study Only (retired)"),
)

KEYS = (
    common(
        repeatable(
            "-k --key --keyword KEY",
            str,
            "a key, KEYWORD=VALUE or gggg,eeee=VALUE; without =VALUE it asks for the value. A path of sequences:"
            " RequestAttributesSequence[0].ScheduledProcedureStepID=X",
        )
    ),
    common(
        repeatable(
            "-r --return KEYS",
            str,
            f"keys to ask for, separated by commas; {' '.join(RETURN_SETS)} stand for several",
        )
    ),
    repeatable(
        "-f --file F", str, "a file with keys: DICOM, or DICOM JSON (an array is several queries); - is JSON on stdin"
    ),
    option("--charset C", str, None, "the Specific Character Set of the request (ISO_IR 192 for text beyond ASCII)"),
    flag("--no-infer", "leave Query/Retrieve Level out where no key says it"),
)


def _study_date(text: str) -> str:
    from dimse.tools.query_dates import date_range

    return date_range(text)


# By keyword: the row of the option that stands for the key.
USUAL_KEYS: dict[str, Row] = {
    "PatientID": common(option("--patient-id ID", str, None, "Patient ID")),
    "PatientName": option("--patient-name NAME", str, None, "Patient's Name, FAMILY^GIVEN; * and ? are wildcards"),
    "PatientBirthDate": option(
        "--birth-date DATE", validated(_study_date), None, "Patient's Birth Date, as --study-date"
    ),
    "StudyInstanceUID": common(option("--study-uid UID", str, None, "Study Instance UID")),
    "SeriesInstanceUID": option("--series-uid UID", str, None, "Series Instance UID"),
    "SOPInstanceUID": option("--sop-uid UID", str, None, "SOP Instance UID"),
    "AccessionNumber": option("--accession NUMBER", str, None, "Accession Number"),
    "Modality": option("--modality M", str, None, "Modality; at the level of studies Modalities in Study"),
    "StudyDate": option(
        "--study-date DATE",
        validated(_study_date),
        None,
        "Study Date: today, yesterday, last-7-days, this-month, 2024-01-31, 2024-01-01..2024-03-31 or 20240101-",
    ),
}


def add_options(
    parser: Parser, operation: Operation, models: Iterable[tuple[list[str], dict[str, object]]] = ()
) -> None:
    """Add the options about the information model and the keys.

    Args:
        parser: The parser of the tool.
        operation: The operation that the tool asks for.
        models: Options of the tool that choose a model too.
    """
    group = parser.add_argument_group("information model")
    exclusive = group.add_mutually_exclusive_group()
    add_rows(exclusive, (*MODEL_FLAGS, *models))

    def model(text: str) -> str:
        return find_model(text, operation).name

    add_rows(exclusive, [option("-M --model NAME", validated(model), None, _models_help(operation))])
    group.add_argument(
        "-L",
        "--level",
        metavar="LEVEL",
        type=str.upper,
        choices=("PATIENT", "STUDY", "SERIES", "IMAGE", "INSTANCE"),
        help="patient, study, series or image; by default that of the lowest unique key, else of the lowest key",
    )
    add_group(parser, "keys", *KEYS)
    rows = ((names, keywords | {"dest": f"key_{keyword}"}) for keyword, (names, keywords) in USUAL_KEYS.items())
    add_group(parser, "usual keys", *rows)
    add_group(
        parser, "request", choice("--priority", tuple(PRIORITIES), "medium", "priority of the request (%(default)s)")
    )
    parser.set_defaults(operation=operation)


def _models_help(operation: Operation) -> str:
    from dimse.services.information_models import names

    return f"another model: {', '.join(names(operation))}, or the UID of its SOP class"


def model_of(options: argparse.Namespace) -> InformationModel:
    """Return the information model that the user chose."""
    return find_model(options.model or "patient", options.operation)


class UnusableKeys(Exception):
    """The error for keys of the command line, or a file with keys, that cannot be used. The message is a line for the log."""


def has_keys(options: argparse.Namespace) -> bool:
    """Return whether the command line has any keys."""
    return bool(options.key or getattr(options, "return") or options.file or options.files or any(_human(options)))


def identifiers(options: argparse.Namespace, logger: logging.Logger) -> list[Identifier]:
    """Return the identifiers that the user asks with: one for each file with keys, or one.

    Raises:
        UnusableKeys: A key or a file cannot be used.
    """
    from dimse.data_set import keys
    from dimse.data_set.identifier import Identifier
    from dimse.services.query import with_level

    model = model_of(options)
    bases = [base for path in (*options.file, *options.files) for base in read_file(path)] or [{}]
    found = []
    for base in bases:
        try:
            tree = keys.parse(_all_keys(options), base)
            _place_modality(options, model, tree)
        except ValueError as error:
            raise UnusableKeys(f"Exception raised trying to parse the supplied keywords: {error}") from error
        for line in keys.doubts(tree):
            logger.warning("%s", one_line(line))
        try:
            identifier = with_level(
                model, Identifier(tree), "" if options.no_infer and not options.level else options.level
            )
        except ValueError as error:
            raise UnusableKeys(one_line(str(error))) from error
        _verify_unique_key(options.operation, identifier)
        if model.levels and not options.level and not options.no_infer and LEVEL not in tree:
            logger.info("Query/Retrieve Level: %s, as the keys suggest", identifier.text(LEVEL))
        found.append(identifier)
    return found


def _verify_unique_key(operation: Operation, identifier: Identifier) -> None:
    """Refuse a retrieval whose unique key is given and empty: some peers would send everything that they have.

    It is what remains of `--study-uid "$uid"` where the variable is not set.

    Raises:
        UnusableKeys: The unique key of the level is given and has no value.
    """
    tag = UNIQUE_KEYS.get(identifier.text(LEVEL).strip(), 0)
    if operation != "find" and tag in identifier.attributes and not identifier.text(tag).strip(" \0"):
        from dimse import tags

        raise UnusableKeys(f"{tags.keyword(tag)} has no value, which some peers take for everything that they have")


def _human(options: argparse.Namespace) -> Iterator[str]:
    """Yield the keys of the options that stand for one."""
    for keyword in USUAL_KEYS:
        given = getattr(options, f"key_{keyword}")
        if given is not None:
            yield f"{keyword}={given}"


def _all_keys(options: argparse.Namespace) -> list[str]:
    """Return the keys of the command line: those that are asked for first, so that a value replaces them."""
    asked = [
        key.strip()
        for given in getattr(options, "return")
        for word in given.split(",")
        for key in RETURN_SETS.get(word.strip(), word).split(",")
    ]
    return [*asked, *_human(options), *options.key]


def _place_modality(options: argparse.Namespace, model: InformationModel, tree: Tree) -> None:
    """Ask for Modalities in Study instead of `--modality` where whole studies are asked for."""
    from dimse.data_set.attributes import Attribute
    from dimse.services.information_models import infer_level

    modality, modalities = 0x00080060, 0x00080061
    if options.key_Modality is None or not model.levels or any(key.startswith("Modality") for key in options.key):
        return
    without = [tag for tag in tree if tag != modality]
    level = options.level or (tree[LEVEL].values[0] if LEVEL in tree and tree[LEVEL].values else None)
    if (level or infer_level(model, without)).strip().upper() == "STUDY":
        tree[modalities] = Attribute("CS", tree.pop(modality).values)


def read_file(path: str) -> list[Attributes]:
    """Return the attributes of the data sets in a file with keys: DICOM, with or without its head, or DICOM JSON.

    Raises:
        UnusableKeys: The file cannot be read, or holds no data set.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES:,} bytes")
        found = _read(data) if data.strip() else []
        # Without keys everything matches, which is not what an empty list of queries asks for.
        if not found:
            raise ValueError("it holds no data set")
    except (OSError, ValueError) as error:
        raise UnusableKeys(f"Cannot read input file {one_line(path)}: {wording.reason(error)}") from error
    return found


def _read(data: bytes) -> list[Attributes]:
    from dimse.data_set import json
    from dimse.data_set.identifier import Identifier, attributes_of
    from dimse.media import part10
    from dimse.uids import transfer_syntax

    text = data.removeprefix(BOM_UTF8)
    if text.lstrip()[:1] in (b"{", b"["):
        return json.read_all(text)
    if part10.start_of(data) is None:
        return [attributes_of(data)]
    meta = part10.parse(data)
    syntax = transfer_syntax(meta.transfer_syntax_uid or "") if meta else None
    if meta is None or syntax is None:
        raise MalformedDataSet("its File Meta Information is cut short, or its transfer syntax is not known")
    return [Identifier.read(data[meta.data_set_offset :], syntax).attributes]

"""The instances of a study, as the peer lists them (PS3.4 C.4.1): a bulk retrieval is complete when all of these are here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from dimse import services
from dimse.services import Association
from dimse.services.information_models import InformationModel
from dimse.services.query import Match
from dimse.services.retrieve_contexts import UNCOMPRESSED
from dimse.settings import ProposedContext
from dimse.support.text import one_line
from dimse.support.values import value
from dimse.transport.threaded import connect, run

if TYPE_CHECKING:
    from dimse.sending.options import AssociationOptions

MOST_UIDS = 500
"""The most UIDs of a request: a list of about 1,000 is longer than the 16-bit length of its element."""


@value
class Listed:
    """An instance that the peer lists.

    Attributes:
        series_instance_uid: The UID of its series.
        sop_class_uid: Its SOP class; empty if the peer does not tell.
    """

    series_instance_uid: str
    sop_class_uid: str


async def instances_of(
    association: Association,
    study: str,
    model: str,
    total_timeout: float,
    stopped: Callable[[], bool],
    patient_id: str = "",
    series: str = "",
) -> dict[str, Listed]:
    """Return the instances of a study by SOP Instance UID, as C-FINDs of its series and of their instances tell.

    Args:
        association: An association with the C-FIND of the model.
        study: The Study Instance UID.
        model: The name of the information model.
        total_timeout: Seconds that each query may take; 0 is unlimited.
        stopped: Returns True if the listing is to end early.
        patient_id: The Patient ID, which the model "patient" wants; empty names none.
        series: The series whose instances are wanted; empty for all.

    Raises:
        StatusError: The peer refuses a query, or has cut its result short.
        AssociationError: The association ended.
    """
    found: dict[str, Listed] = {}
    upper = {"StudyInstanceUID": study} | ({"PatientID": patient_id} if patient_id else {})
    wanted = [series]
    if not series:
        matches = association.find(
            upper | {"SeriesInstanceUID": ""}, model=model, level="SERIES", total_timeout=total_timeout
        )
        wanted = [_uid(match, "SeriesInstanceUID") async for match in matches]
    for uid in filter(None, dict.fromkeys(wanted)):
        keys = upper | {"SeriesInstanceUID": uid, "SOPInstanceUID": "", "SOPClassUID": ""}
        async for match in association.find(keys, model=model, level="IMAGE", total_timeout=total_timeout):
            # A peer may leave out keys that it does not know, and then match more.
            is_of = _uid(match, "StudyInstanceUID") in ("", study) and _uid(match, "SeriesInstanceUID") in ("", uid)
            if is_of and _uid(match, "SOPInstanceUID"):
                found[_uid(match, "SOPInstanceUID")] = Listed(uid, _uid(match, "SOPClassUID"))
            if stopped():
                return found
    return found


def instances_of_studies(
    peer: tuple[str, int],
    options: AssociationOptions,
    model: InformationModel,
    studies: Collection[str],
    patient_id: str,
    total_timeout: float,
    stopped: Callable[[], bool],
) -> dict[str, dict[str, Listed]]:
    """Return the instances of studies, as a peer lists them over an association of its own.

    Args:
        peer: Host and port.
        options: Arguments of `dimse.associate`.
        model: The information model.
        studies: Study Instance UIDs; empty for all studies of the patient.
        patient_id: The Patient ID, which the model "patient" wants; empty names none.
        total_timeout: Seconds that each query may take; 0 is unlimited.
        stopped: Returns True if the listing is to end early.

    Returns:
        Instances by SOP Instance UID, by Study Instance UID.

    Raises:
        DimseError: There is no association, or the peer does not list them.
    """

    async def listed() -> dict[str, dict[str, Listed]]:
        context = ProposedContext(model.find, UNCOMPRESSED)
        async with await services.associate(connect, *peer, contexts=[context], **options) as association:
            wanted = list(studies)
            if not wanted and patient_id:
                keys = {"PatientID": patient_id, "StudyInstanceUID": ""}
                found = association.find(keys, model=model.name, level="STUDY", total_timeout=total_timeout)
                wanted = [_uid(match, "StudyInstanceUID") async for match in found]
            return {
                study: await instances_of(association, study, model.name, total_timeout, stopped, patient_id)
                for study in wanted
            }

    return run(listed())


def _uid(match: Match, keyword: str) -> str:
    return one_line(match.identifier.text(keyword).strip(" \0"), 64)


def identifiers(
    study: str, expected: Mapping[str, Listed] | None, missing: Collection[str], series: str = ""
) -> Iterator[dict[str, str | list[str]]]:
    """Yield the identifiers that retrieve the missing instances of a study: the study, whole series, or lists of instances.

    Args:
        study: The Study Instance UID.
        expected: All instances of the study; None if they are not known.
        missing: The SOP Instance UIDs of those to retrieve.
        series: The series that is wanted; empty for the whole study.
    """
    if series and (expected is None or len(missing) == len(expected)):
        yield {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study, "SeriesInstanceUID": series}
        return
    if expected is None or len(missing) == len(expected):
        yield {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": study}
        return
    all_of, missing_of = _by_series(expected, expected), _by_series(expected, missing)
    whole = [series for series, uids in missing_of.items() if len(uids) == len(all_of[series])]
    for some in _lists(whole):
        yield {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study, "SeriesInstanceUID": some}
    yield from image_identifiers(
        study, expected, (uid for uid in missing if expected[uid].series_instance_uid not in whole)
    )


def image_identifiers(
    study: str, expected: Mapping[str, Listed], missing: Iterable[str]
) -> Iterator[dict[str, str | list[str]]]:
    """Yield the identifiers that retrieve the missing instances of a study as lists of instances, series by series."""
    for series, uids in _by_series(expected, missing).items():
        for part in _lists(sorted(uids)):
            yield {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": study,
                "SeriesInstanceUID": series,
                "SOPInstanceUID": part,
            }


def _by_series(expected: Mapping[str, Listed], uids: Iterable[str]) -> dict[str, list[str]]:
    series: dict[str, list[str]] = {}
    for uid in uids:
        series.setdefault(expected[uid].series_instance_uid, []).append(uid)
    return series


def _lists(uids: Iterable[str]) -> Iterator[list[str]]:
    """Yield the UIDs in lists that one request can hold."""
    left = iter(uids)
    while part := list(islice(left, MOST_UIDS)):
        yield part

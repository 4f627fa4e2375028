"""The instances of a study, as the peer lists them (PS3.4 C.4.1): a bulk retrieval is complete when all of these are here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice

from dimse.services import Association
from dimse.services.query import Match
from dimse.support.text import one_line
from dimse.support.values import value

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
    association: Association, study: str, model: str, total_timeout: float, stopped: Callable[[], bool]
) -> dict[str, Listed]:
    """Return the instances of a study by SOP Instance UID, as C-FINDs of its series and of their instances tell.

    Args:
        association: An association with the C-FIND of the model.
        study: The Study Instance UID.
        model: The name of the information model.
        total_timeout: Seconds that each query may take; 0 is unlimited.
        stopped: Returns True if the listing is to end early.

    Raises:
        StatusError: The peer refuses a query, or has cut its result short.
        AssociationError: The association ended.
    """
    found: dict[str, Listed] = {}
    asked = {"StudyInstanceUID": study, "SeriesInstanceUID": ""}
    matches = association.find(asked, model=model, level="SERIES", total_timeout=total_timeout)
    series = [_uid(match, "SeriesInstanceUID") async for match in matches]
    for uid in filter(None, dict.fromkeys(series)):
        keys = {"StudyInstanceUID": study, "SeriesInstanceUID": uid, "SOPInstanceUID": "", "SOPClassUID": ""}
        async for match in association.find(keys, model=model, level="IMAGE", total_timeout=total_timeout):
            # A peer may leave out keys that it does not know, and then match other studies.
            if _uid(match, "SOPInstanceUID") and _uid(match, "StudyInstanceUID") in ("", study):
                found[_uid(match, "SOPInstanceUID")] = Listed(uid, _uid(match, "SOPClassUID"))
            if stopped():
                return found
    return found


def _uid(match: Match, keyword: str) -> str:
    return one_line(match.identifier.text(keyword).strip(" \0"), 64)


def identifiers(
    study: str, expected: Mapping[str, Listed] | None, missing: Collection[str]
) -> Iterator[dict[str, str | list[str]]]:
    """Yield the identifiers that retrieve the missing instances of a study: the study, whole series, or lists of instances.

    Args:
        study: The Study Instance UID.
        expected: All instances of the study; None if they are not known.
        missing: The SOP Instance UIDs of those to retrieve.
    """
    if expected is None or len(missing) == len(expected):
        yield {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": study}
        return
    all_of, missing_of = _by_series(expected, expected), _by_series(expected, missing)
    whole = [series for series, uids in missing_of.items() if len(uids) == len(all_of[series])]
    for series in _lists(whole):
        yield {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": study, "SeriesInstanceUID": series}
    for one in missing_of.keys() - set(whole):
        for uids in _lists(sorted(missing_of[one])):
            yield {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": study,
                "SeriesInstanceUID": one,
                "SOPInstanceUID": uids,
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

"""The features of queries and retrievals, proposed and answered (SOP Class Extended Negotiation, PS3.4 C.5 and K.5)."""

from __future__ import annotations

from typing import Any

import pytest

import dimse
from dimse.services.features import Features, accepted_features
from dimse.services.information_models import Operation, find_model
from dimse.settings import ExtendedNegotiation, Role
from dimse.testing import LOOPBACK, QueryRetrieveSCP
from tests.drivers import Driver, Face, on_both_faces, on_each_driver, serving

EVERY_FEATURE = Features(
    relational=True,
    date_time=True,
    fuzzy_names=True,
    timezone=True,
    enhanced_conversion=True,
    empty_values=True,
    multiple_values=True,
)
RELATIONAL = Features(relational=True)


class Asked:
    """A program whose handlers record the features of their requests.

    Attributes:
        features: The features of each request.
    """

    def __init__(self) -> None:
        self.features: list[Features] = []

    def answer(self, request: Any) -> list[Any]:
        """Return nothing."""
        self.features.append(request.features)
        return []

    def refuse(self, request: dimse.RetrieveRequest) -> int:
        """Return the status of an unknown destination."""
        self.answer(request)
        return 0xA801

    def handlers(self) -> dimse.Handlers:
        """Return the handlers."""
        return dimse.Handlers(find=self.answer, get=self.answer, move=self.refuse)


# Model, operation, what the server supports, what is proposed (None: nothing), what is answered (None: nothing).
ANSWERS: list[tuple[str, Operation, Features, bytes | None, bytes | None]] = [
    ("study", "find", Features(), b"\1\1\1\1\1", None),
    ("study", "find", RELATIONAL, None, None),
    ("study", "find", RELATIONAL, b"\1\1\1\1\1", b"\1\0\0\0\0"),
    ("study", "find", RELATIONAL, b"\0\1\0\0\0", b"\0\0\0\0\0"),
    ("study", "find", EVERY_FEATURE, b"\1", b"\1"),
    ("study", "find", EVERY_FEATURE, b"\0\1\1\0\1\1\1", b"\0\1\1\0\1\1\1"),
    # A byte that the Standard does not define, and a value that is neither 0 nor 1.
    ("study", "find", EVERY_FEATURE, b"\1\1\1\1\1\1\1\1", b"\1\1\1\1\1\1\1"),
    ("study", "find", EVERY_FEATURE, b"\2\1", b"\0\1"),
    ("study", "find", EVERY_FEATURE, b"", b""),
    ("patient", "find", Features(fuzzy_names=True), b"\1\1\1", b"\0\0\1"),
    ("worklist", "find", Features(fuzzy_names=True), b"\1\1\1\1", b"\1\1\1\0"),
    ("worklist", "find", Features(empty_values=True), b"\1\1\1\1", None),
    ("study", "get", RELATIONAL, b"\1", b"\1"),
    ("study", "get", RELATIONAL, b"\1\1", b"\1\0"),
    ("study", "get", Features(date_time=True), b"\1\1", None),
    ("patient", "move", Features(enhanced_conversion=True), b"\1\1", b"\0\1"),
    ("composite-instance", "get", EVERY_FEATURE, b"\1\1", None),
]


@on_each_driver
@pytest.mark.parametrize(("model", "operation", "supported", "proposed", "answered"), ANSWERS)
async def test_a_proposal_is_answered_with_what_both_sides_support(
    driver: Driver,
    model: str,
    operation: Operation,
    supported: Features,
    proposed: bytes | None,
    answered: bytes | None,
) -> None:
    asked, found = Asked(), find_model(model, operation)
    uid = found.sop_class(operation)
    items = [] if proposed is None else [ExtendedNegotiation(uid, proposed)]
    names = [name for name, flag in zip(found.features_of(operation), answered or b"", strict=False) if flag]
    agreed = Features(**dict.fromkeys(names, True))
    with serving("threads", asked.handlers(), extended=supported.supported()) as port:
        async with await driver.associate(port, [uid], extended=items) as association:
            assert association.negotiated.extended == (
                () if answered is None else (ExtendedNegotiation(uid, answered),)
            )
            keys = {"SOPInstanceUID": "1"} if found.levels[-1:] == ("IMAGE",) else {"PatientID": "1"}
            under_way: Any
            if operation == "find":
                under_way = association.find(keys, model=model)
            elif operation == "get":
                under_way = association.get(keys, model=model)
            else:
                under_way = association.move(keys, "THERE", model=model)
            async for _ in under_way:
                pass
            assert operation != "find" or under_way.features == agreed
    assert asked.features == [agreed]


@on_each_driver
async def test_a_class_without_an_accepted_context_has_no_answer(driver: Driver) -> None:
    find, get = find_model("study", "find").find, find_model("study", "get").get
    proposed = [ExtendedNegotiation(get, b"\1"), ExtendedNegotiation(find, b"\1")]
    with serving(handlers=dimse.Handlers(find=lambda request: 0), extended=RELATIONAL.supported()) as port:
        async with await driver.associate(port, [find, get], extended=proposed) as association:
            assert association.negotiated.extended == (ExtendedNegotiation(find, b"\1"),)


@on_both_faces
@on_each_driver
async def test_a_handler_is_told_what_was_agreed(driver: Driver, face: Face) -> None:
    asked = Asked()
    model = find_model("study", "find")
    proposed = Features(relational=True, date_time=True).negotiation(model)
    with serving(face, asked.handlers(), extended=RELATIONAL.supported()) as port:
        async with await driver.associate(port, [model.find], extended=proposed) as association:
            async for _match in association.find({"PatientID": "1"}):
                pass
            assert accepted_features(association.negotiated, model) == RELATIONAL
    assert asked.features == [RELATIONAL]


@pytest.mark.parametrize("wrong", ["relational", [b"\1"], [Role("1.2.3")]])
def test_what_is_no_application_information_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="extended"):
        dimse.Acceptor(extended=wrong)


# --- the SCP for tests ---


NIGHT = {"StudyDate": "20240101-20240102", "StudyTime": "180000-060000"}
STUDIES = [
    {"StudyInstanceUID": "1.2.1", "SOPInstanceUID": "1.2.1.1", "StudyDate": "20240101", "StudyTime": "190000"},
    {"StudyInstanceUID": "1.2.2", "SOPInstanceUID": "1.2.2.1", "StudyDate": "20240102", "StudyTime": "120000"},
    {"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.1", "StudyDate": "20240102", "StudyTime": "050000"},
]


@pytest.mark.parametrize(
    ("features", "found"), [(Features(), []), (Features(date_time=True), ["1.2.1", "1.2.3"])], ids=["apart", "together"]
)
def test_the_scp_for_tests_matches_dates_and_times_together(features: Features, found: list[str]) -> None:
    model = find_model("study", "find")
    with (
        QueryRetrieveSCP(STUDIES) as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=[model.find], extended=features.negotiation(model)) as association,
    ):
        matches = association.find({"StudyInstanceUID": None, **NIGHT}, level="STUDY")
        assert [match.identifier["StudyInstanceUID"] for match in matches] == found
        assert matches.features == features


def test_the_scp_for_tests_agrees_to_relational_retrievals() -> None:
    model = find_model("study", "get")
    proposed = RELATIONAL.negotiation("study", "get")
    assert proposed == (ExtendedNegotiation(model.get, b"\1\0"),)
    with (
        QueryRetrieveSCP(STUDIES) as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=[model.get], extended=proposed) as association,
    ):
        list(association.get({"StudyInstanceUID": "1.2.9"}, level="SERIES"))
        assert scp.retrievals[0].features == RELATIONAL

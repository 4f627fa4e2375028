"""C-FIND, asked on every driver and answered by both faces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydicom import Dataset

import dimse
from dimse import aio, uids
from dimse.data_set.identifier import Identifier, encode
from dimse.errors import InvalidResponse, LocalProtocolError, NoPresentationContext, StatusError
from dimse.logs import ABOUT
from dimse.services.features import Features
from dimse.services.information_models import MODELS, find_model, infer_level
from dimse.testing import LOOPBACK, QueryRetrieveSCP
from dimse.uids import transfer_syntax
from tests.drivers import Driver, Face, errors, on_both_faces, on_each_driver, serving
from tests.interop.evil_query import serve

STUDY = uids.StudyRootQueryRetrieveInformationModelFind
PATIENT = uids.PatientRootQueryRetrieveInformationModelFind
KEYS = {"StudyInstanceUID": None, "PatientName": "DOE*"}


def study(number: int, name: str = "DOE^JANE") -> dict[str, Any]:
    return {"StudyInstanceUID": f"1.2.{number}", "PatientName": name}


def three(request: dimse.FindRequest) -> Iterator[dict[str, Any]]:
    for number in range(3):
        yield study(number)


async def three_asynchronously(request: dimse.FindRequest) -> AsyncIterator[dict[str, Any]]:
    for number in range(3):
        await asyncio.sleep(0)
        yield study(number)


def three_as_a_list(request: dimse.FindRequest) -> list[dict[str, Any]]:
    return list(three(request))


async def three_as_an_awaited_list(request: dimse.FindRequest) -> list[dict[str, Any]]:
    await asyncio.sleep(0)
    return list(three(request))


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("handler", [three, three_asynchronously, three_as_a_list, three_as_an_awaited_list])
async def test_the_matches_of_a_handler_arrive_in_order(driver: Driver, face: Face, handler: Any) -> None:
    with serving(face, dimse.Handlers(find=handler)) as port:
        async with await driver.associate(port, [STUDY]) as association:
            matches = association.find(KEYS)
            found = [match async for match in matches]
            assert [match.identifier["StudyInstanceUID"] for match in found] == ["1.2.0", "1.2.1", "1.2.2"]
            assert {int(match.status) for match in found} == {0xFF00}
            assert matches.status == 0x0000
            # The association is free again.
            assert len([match async for match in association.find(KEYS)]) == 3


@on_both_faces
@on_each_driver
async def test_a_query_without_matches_ends_with_success(driver: Driver, face: Face) -> None:
    with serving(face, dimse.Handlers(find=lambda request: [])) as port:
        async with await driver.associate(port, [STUDY]) as association:
            assert [match async for match in association.find(KEYS)] == []


def of_pydicom() -> Dataset:
    data_set = Dataset()
    data_set.StudyInstanceUID, data_set.PatientName = "", "DOE*"
    return data_set


JSON = json.dumps({"0020000D": {"vr": "UI"}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "DOE*"}]}})
SYNTAX = transfer_syntax(uids.ExplicitVRLittleEndian)
assert SYNTAX is not None


@pytest.mark.parametrize(
    "keys", [KEYS, of_pydicom(), JSON, encode(KEYS, SYNTAX)], ids=["mapping", "pydicom", "JSON", "bytes"]
)
@pytest.mark.parametrize(
    "syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRBigEndian, uids.DeflatedExplicitVRLittleEndian]
)
def test_an_identifier_may_be_given_in_each_form_and_goes_out_in_each_syntax(keys: Any, syntax: str) -> None:
    with (
        QueryRetrieveSCP([study(1), study(2, "ROE")]) as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=[(STUDY, [syntax])]) as association,
    ):
        found = [match.dataset() for match in association.find(keys)]
    assert [str(data_set.PatientName) for data_set in found] == ["DOE^JANE"]
    [request] = scp.requests
    assert (request.level, request.model.name, request.called_ae_title) == ("STUDY", "study", "ANY-SCP")
    assert request.identifier["PatientName"] == "DOE*"


def test_names_come_back_in_the_character_set_of_the_request() -> None:
    with (
        QueryRetrieveSCP([study(1, "MÜLLER^JÖRG")]) as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=[STUDY]) as association,
    ):
        for charset, expected in ((None, "ISO_IR 192"), ("ISO_IR 100", "ISO_IR 100")):
            [match] = association.find({"PatientName": "müller*", "StudyInstanceUID": None}, charset=charset)
            assert match.identifier["PatientName"] == "MÜLLER^JÖRG"
            assert match.identifier["SpecificCharacterSet"] == expected


# --- the end ---


def fails_after_one(request: dimse.FindRequest) -> Iterator[Any]:
    yield study(1)
    raise RuntimeError("mine")


def refuses(request: dimse.FindRequest) -> int:
    return dimse.Status(0xA700, comment="later")


def refuses_after_one(request: dimse.FindRequest) -> Iterator[Any]:
    yield study(1)
    yield dimse.Status(0xA700, comment="later")


def yields_what_is_no_identifier(request: dimse.FindRequest) -> Iterator[Any]:
    yield {"NoSuchKeyword": "1"}


ENDS = [
    (fails_after_one, 0xC001, "the handler failed", 1),
    (refuses, 0xA700, "later", 0),
    (refuses_after_one, 0xA700, "later", 1),
    (yields_what_is_no_identifier, 0xC001, "the handler failed", 0),
]


@on_both_faces
@on_each_driver
@pytest.mark.parametrize(("handler", "status", "comment", "number"), ENDS)
async def test_a_failure_is_an_error_behind_the_matches(
    driver: Driver, face: Face, handler: Any, status: int, comment: str, number: int
) -> None:
    with serving(face, dimse.Handlers(find=handler)) as port:
        async with await driver.associate(port, [STUDY]) as association:
            found = []
            with pytest.raises(StatusError, match=comment) as failure:
                async for match in association.find(KEYS):
                    found.append(match)
            assert (failure.value.status, len(found)) == (status, number)
            assert association.open


def test_a_failing_handler_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with (
        serving("threads", dimse.Handlers(find=fails_after_one)) as port,
        dimse.associate(LOOPBACK, port, contexts=[STUDY]) as association,
        pytest.raises(StatusError),
    ):
        list(association.find(KEYS))
    assert errors(caplog) == ["the handler of FindRequest failed: RuntimeError: mine"]


# --- leaving early ---


class Endless:
    """A handler with matches without end.

    Attributes:
        closed: How many of its generators were closed.
    """

    def __init__(self) -> None:
        self.closed = 0

    def find(self, request: dimse.FindRequest) -> Iterator[dict[str, Any]]:
        """Yield matches until the request is cancelled."""
        try:
            number = 0
            while not request.cancelled:
                number += 1
                yield study(number)
        finally:
            self.closed += 1


@on_both_faces
@on_each_driver
async def test_closing_the_iterator_cancels_and_drains(driver: Driver, face: Face) -> None:
    endless = Endless()
    with serving(face, dimse.Handlers(find=endless.find)) as port:
        async with await driver.associate(port, [STUDY, uids.Verification]) as association:
            async with association.find(KEYS) as matches:
                async for match in matches:
                    assert match.identifier["StudyInstanceUID"] == "1.2.1"
                    break
            assert (matches.status, matches.is_cancelled) == (0xFE00, True)
            assert await association.echo() == 0
    assert endless.closed == 1


@on_both_faces
@on_each_driver
async def test_a_loop_that_is_left_is_cancelled_by_the_next_call(driver: Driver, face: Face) -> None:
    endless = Endless()
    with serving(face, dimse.Handlers(find=endless.find)) as port:
        async with await driver.associate(port, [STUDY, uids.Verification]) as association:
            for _ in range(3):
                async for _match in association.find(KEYS):
                    break
                assert await association.echo() == 0
            async for _match in association.find(KEYS):
                break
            # The end of the block releases the association.
    assert endless.closed == 4


def test_a_loop_that_is_left_is_cancelled_on_the_blocking_face() -> None:
    endless = Endless()
    with (
        serving("threads", dimse.Handlers(find=endless.find)) as port,
        dimse.associate(LOOPBACK, port, contexts=[STUDY, uids.Verification]) as association,
    ):
        for _match in association.find(KEYS):
            break
        assert ABOUT.get() is None
        assert association.echo() == 0
        assert ABOUT.get() is None
        with association.find(KEYS) as matches:
            next(matches)
        assert matches.status == 0xFE00


def test_another_operation_within_the_loop_is_refused() -> None:
    with serving("threads", dimse.Handlers(find=three)) as port:

        async def ask() -> None:
            async with aio.associate(LOOPBACK, port, contexts=[STUDY, uids.Verification]) as association:
                number = 0
                async for _match in association.find(KEYS):
                    number += 1
                    with pytest.raises(LocalProtocolError, match="another operation"):
                        await association.echo()
                assert number == 3

        asyncio.run(ask())


@on_both_faces
@on_each_driver
async def test_a_cancelled_query_goes_on_to_its_final_response(driver: Driver, face: Face) -> None:
    with serving(face, dimse.Handlers(find=Endless().find)) as port:
        async with await driver.associate(port, [STUDY]) as association:
            matches, number = association.find(KEYS), 0
            async for _match in matches:
                number += 1
                if number == 5:
                    await matches.cancel()
            assert matches.status == 0xFE00 and number >= 5


# --- what cannot be asked, and what cannot be answered ---


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"model": "nonsense"}, ValueError, "not an information model"),
    ({"model": "composite-instance"}, ValueError, "no C-FIND"),
    ({"level": "PATIENT"}, ValueError, "not a level"),
    ({"charset": "nonsense"}, ValueError, "character set"),
    ({"model": "worklist"}, NoPresentationContext, "Modality Worklist"),
]


@pytest.mark.parametrize(("options", "error", "words"), MISTAKES)
def test_nothing_is_sent_for_arguments_that_cannot_be(options: Any, error: type[Exception], words: str) -> None:
    with QueryRetrieveSCP([study(1)]) as scp, dimse.associate(LOOPBACK, scp.port, contexts=[STUDY]) as association:
        keys = {**KEYS, "PatientName": "Ö"}
        with pytest.raises(error, match=words):
            association.find(keys, **options)
        assert len(list(association.find(KEYS))) == 1
    assert len(scp.requests) == 1


@pytest.mark.parametrize(
    ("keys", "status", "comment"),
    [
        ({"PatientName": "X"}, 0xA900, "Query/Retrieve Level is not one of STUDY, SERIES, IMAGE"),
        ({"QueryRetrieveLevel": "PATIENT"}, 0xA900, "Query/Retrieve Level is not one of STUDY, SERIES, IMAGE"),
    ],
)
def test_a_level_that_is_not_the_models_is_refused(keys: Any, status: int, comment: str) -> None:
    with QueryRetrieveSCP() as scp, dimse.associate(LOOPBACK, scp.port, contexts=[STUDY]) as association:
        matches = association.find(keys, level="")
        with pytest.raises(StatusError, match=comment):
            list(matches)
        assert (matches.status, matches.offending_elements) == (status, (0x00080052,))


def test_an_identifier_that_cannot_be_read_is_refused() -> None:
    with QueryRetrieveSCP() as scp, dimse.associate(LOOPBACK, scp.port, contexts=[STUDY]) as association:
        matches = association.find(KEYS)
        matches._finding._data = b"\x08\0\x52\0CS\xff\x7fSTUDY "
        with pytest.raises(StatusError, match="cannot be read"):
            list(matches)
        assert matches.status == 0x0212


def test_a_query_beyond_the_limits_is_refused() -> None:
    with QueryRetrieveSCP() as scp, dimse.associate(LOOPBACK, scp.port, contexts=[STUDY]) as association:
        keys = {"0009,1000": b"x" * 5_000_000, "QueryRetrieveLevel": "STUDY"}
        with pytest.raises(StatusError, match="longer than"):
            list(association.find(keys))
        assert association.open


def test_without_a_handler_no_model_is_accepted() -> None:
    with serving("threads", dimse.Handlers()) as port, pytest.raises(dimse.RefusedContexts):
        dimse.associate(LOOPBACK, port, contexts=[STUDY])


@pytest.mark.parametrize("level", ["STUDY", "NO SUCH LEVEL"])
def test_without_a_handler_every_query_is_refused_as_not_supported(level: str) -> None:
    handlers = dimse.Handlers(echo=lambda request: 0)
    with (
        serving("threads", handlers, contexts=[STUDY]) as port,
        dimse.associate(LOOPBACK, port, contexts=[STUDY]) as association,
        pytest.raises(StatusError) as raised,
    ):
        list(association.find({**KEYS, "QueryRetrieveLevel": level}, level=""))
    assert raised.value.status == 0x0122


# --- peers that break the rules ---


INVALID = [
    ("pending_without_identifier", "no identifier"),
    ("identifier_of_noise", "cannot be read"),
    ("nested_50000_deep", "cannot be read"),
    ("identifier_of_16_mib", "longer than"),
]


@pytest.mark.parametrize(("behaviour", "words"), INVALID)
def test_a_response_that_cannot_be_is_an_error(behaviour: str, words: str) -> None:
    with serve(behaviour, "find") as scp:
        association = dimse.associate(LOOPBACK, scp.port, contexts=[PATIENT], maximum_length=65536)
        with pytest.raises(InvalidResponse, match=words):
            list(association.find({"PatientID": None}, model="patient"))
        assert not association.open


def test_an_endless_peer_is_left() -> None:
    with serve("pending_for_ever", "find") as scp:
        association = dimse.associate(LOOPBACK, scp.port, contexts=[PATIENT])
        with pytest.raises(InvalidResponse, match="more than 500"):
            list(association.find({"PatientID": None}, model="patient", most=500))
        assert not association.open


def test_a_peer_that_ignores_a_cancel_is_aborted() -> None:
    timeouts = dimse.Timeouts(dimse=0.5)
    with serve("pending_for_ever", "find") as scp:
        association = dimse.associate(LOOPBACK, scp.port, contexts=[PATIENT], timeouts=timeouts)
        for _match in association.find({"PatientID": None}, model="patient"):
            break
        assert not association.open


# --- the pure parts ---


LEVELS = [
    ("patient", ["PatientName"], "PATIENT"),
    ("patient", ["PatientID", "StudyInstanceUID"], "STUDY"),
    ("patient", ["PatientID", "Modality"], "PATIENT"),
    ("patient", ["Modality", "StudyDate"], "SERIES"),
    ("study", ["PatientName"], "STUDY"),
    ("study", ["SOPInstanceUID", "StudyInstanceUID"], "IMAGE"),
    ("patient-study-only", [], "STUDY"),
]


@pytest.mark.parametrize(("model", "keywords", "level"), LEVELS)
def test_a_level_is_inferred(model: str, keywords: list[str], level: str) -> None:
    keys = Identifier.of(dict.fromkeys(keywords))
    assert infer_level(find_model(model, "find"), keys) == level


def test_every_model_is_found_by_name_uid_and_keyword() -> None:
    for model in MODELS:
        for operation in ("find", "get", "move"):
            uid = model.sop_class(operation)
            if uid:
                keyword = uids.dictionary()[uid].keyword
                assert find_model(model.name, operation) is find_model(uid, operation) is find_model(keyword, operation)
                assert operation.upper() in uids.name(uid).upper() or model.find_service or operation == "find"


@pytest.mark.parametrize(
    ("model", "features", "information"),
    [
        ("study", Features(), None),
        ("study", Features(relational=True), b"\1\0\0\0\0"),
        ("study", Features(fuzzy_names=True, timezone=True), b"\0\0\1\1\0"),
        ("study", Features(multiple_values=True), b"\0\0\0\0\0\0\1"),
        ("worklist", Features(fuzzy_names=True), b"\1\1\1\0"),
    ],
)
def test_features_are_proposed_in_their_bytes(model: str, features: Features, information: bytes | None) -> None:
    items = features.negotiation(find_model(model, "find"))
    assert [item.information for item in items] == ([] if information is None else [information])


def test_a_feature_that_a_model_lacks_cannot_be_proposed() -> None:
    with pytest.raises(ValueError, match="no feature"):
        Features(empty_values=True).negotiation(find_model("worklist", "find"))

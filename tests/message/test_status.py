"""Statuses: category and meaning against the tables of PS3.7 Annex C and PS3.4."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest

from dimse.errors import StatusError
from dimse.message import status as statuses
from dimse.message.status import SERVICES, Status

# Code, service, category, how its meaning begins.
CASES = [
    (0x0000, "general", "Success", "Success"),
    (0x0105, "general", "Failure", "No such attribute"),
    (0x0107, "general", "Warning", "Attribute list error"),
    (0x0110, "general", "Failure", "Processing failure"),
    (0x0116, "general", "Warning", "Attribute value out of range"),
    (0x0122, "verification", "Failure", "Refused: SOP class not supported"),
    (0x0211, "verification", "Failure", "Unrecognized operation"),
    (0x0213, "storage commitment", "Failure", "Resource limitation"),
    (0x0199, "general", "Failure", "Failure"),
    (0x02FF, "general", "Failure", "Failure"),
    (0x0001, "general", "Warning", "Warning"),
    (0xA700, "general", "Failure", "Failure of the service class"),
    (0xC123, "general", "Failure", "Failure of the service class"),
    (0xB123, "general", "Warning", "Warning of the service class"),
    (0xFE00, "general", "Cancel", "Terminated by a cancel request"),
    (0xFF00, "general", "Pending", "Continuing"),
    (0xFF01, "general", "Pending", "Continuing, with a warning"),
    (0xFF02, "general", "Unknown", "Unknown status"),
    (0x0002, "general", "Unknown", "Unknown status"),
    (0xD000, "storage", "Unknown", "Unknown status"),
    (0xA700, "storage", "Failure", "Refused: Out of Resources"),
    (0xA7FF, "storage", "Failure", "Refused: Out of Resources"),
    (0xA900, "storage", "Failure", "Error: Data Set does not match SOP Class"),
    (0xA9AB, "storage", "Failure", "Error: Data Set does not match SOP Class"),
    (0xC000, "storage", "Failure", "Error: Cannot understand"),
    (0xCFFF, "storage", "Failure", "Error: Cannot understand"),
    (0xB000, "storage", "Warning", "Coercion of Data Elements"),
    (0xB006, "storage", "Warning", "Elements Discarded"),
    (0xB007, "storage", "Warning", "Data Set does not match SOP Class"),
    (0xB001, "storage", "Warning", "Warning of the service class"),
    (0x0124, "storage", "Failure", "Refused: Not authorized"),
    (0xA700, "find", "Failure", "Refused: Out of Resources"),
    (0xA701, "find", "Failure", "Failure of the service class"),
    (0xC001, "find", "Failure", "Failed: Unable to process"),
    (0xB001, "find", "Warning", "Matching reached response limit"),
    (0xFE00, "find", "Cancel", "Matching terminated"),
    (0xFF01, "find", "Pending", "Matches are continuing, optional keys"),
    (0xA801, "move", "Failure", "Refused: Move Destination unknown"),
    (0xA801, "get", "Failure", "Failure of the service class"),
    (0xA702, "move", "Failure", "Refused: Out of Resources - Unable to perform sub-operations"),
    (0xAA02, "get", "Failure", "Unable to extract frames"),
    (0xB000, "get", "Warning", "Sub-operations complete, one or more failures"),
    (0xFF00, "move", "Pending", "Sub-operations are continuing"),
    (0xFF00, "modality worklist", "Pending", "Matches are continuing"),
    (
        0x0110,
        "modality performed procedure step",
        "Failure",
        "Performed Procedure Step Object may no longer be updated",
    ),
    (0x0001, "modality performed procedure step", "Warning", "Requested optional Attributes are not supported"),
]


@pytest.mark.parametrize(("code", "service", "category", "meaning"), CASES)
def test_category_and_meaning(code: int, service: str, category: str, meaning: str) -> None:
    status = Status(code, service=service)
    assert status.category == category
    assert status.meaning.startswith(meaning)
    assert str(status) == f"{status}" == f"0x{code:04X} - {category}"
    told = [status.is_success, status.is_warning, status.is_failure, status.is_cancel, status.is_pending]
    assert told == [category == other for other in ("Success", "Warning", "Failure", "Cancel", "Pending")]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_puts_a_code_into_another_category_than_annex_c(service: str) -> None:
    def annex_c(code: int) -> str:
        if code in (0x0001, 0x0107, 0x0116) or code >> 12 == 0xB:
            return "Warning"
        if code >> 8 in (0x01, 0x02) or code >> 12 in (0xA, 0xC):
            return "Failure"
        return {0x0000: "Success", 0xFE00: "Cancel", 0xFF00: "Pending", 0xFF01: "Pending"}.get(code, "Unknown")

    interesting = {*range(0x0300), *range(0xA000, 0xD000, 7), *range(0xFE00, 0x10000, 3), 0xFF01, 0x9999, 0xD000}
    for code in (*interesting, *(0xA700, 0xA900, 0xB000, 0xFF00)):
        assert Status(code, service=service).category == annex_c(code)


def test_a_status_is_its_number() -> None:
    status = Status(0xA700, service="storage")
    assert status == 0xA700 == Status(0xA700, service="find")
    assert hash(status) == hash(0xA700)
    assert 0xA700 in {status}
    assert f"{status:04X}" == "A700"
    assert Status(status, service="find").meaning == status.meaning


def test_a_status_keeps_the_comment_of_the_peer() -> None:
    status = Status(0xA700, service="storage", comment=" disk\x1bfull")
    assert status.comment == " disk\x1bfull"
    assert Status(0).comment == Status(0, comment=None).comment == ""
    again = pickle.loads(pickle.dumps(status))
    assert repr(again) == repr(status) == r"Status(0xA700, service='storage', comment=' disk\x1bfull')"


@pytest.mark.parametrize("code", [0x0000, 0xB000, 0x0107])
def test_check_returns_success_and_warning(code: int) -> None:
    status = Status(code, service="storage")
    assert status.check() is status


@pytest.mark.parametrize("code", [0xA700, 0xFE00, 0xFF00, 0xD000])
def test_check_raises_for_all_else(code: int) -> None:
    status = Status(code, service="storage")
    with pytest.raises(StatusError) as caught:
        status.check()
    assert caught.value.status is status
    assert str(caught.value) == f"{status}: {status.meaning}"


def test_check_says_what_the_peer_said() -> None:
    with pytest.raises(StatusError, match=r"^0xA700 - Failure: Refused: Out of Resources: disk full$"):
        Status(0xA700, service="storage", comment="disk full").check()


@pytest.mark.parametrize("code", [-1, 0x10000])
def test_a_status_has_16_bits(code: int) -> None:
    with pytest.raises(ValueError, match="is not a status of 16 bits"):
        Status(code)


def test_a_service_must_be_known() -> None:
    with pytest.raises(ValueError, match="'print' is not one of general, verification"):
        Status(0, service="print")


def test_a_code_of_a_failure_has_its_name_in_one_place() -> None:
    source = Path(statuses.__file__).parents[1]
    named = {name for name, code in vars(statuses).items() if name.isupper() and isinstance(code, int)}
    assert {"PROCESSING_FAILURE", "SOP_CLASS_NOT_SUPPORTED", "OUT_OF_RESOURCES"} <= named
    again = [
        f"{path.name}: {node.id}"
        for path in source.rglob("*.py")
        if path != Path(statuses.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in named
    ]
    assert again == []

"""The table of what errors mean: each has a meaning, and another attempt is made where it may help."""

from __future__ import annotations

from typing import Any

import pytest

import dimse
from dimse import meanings
from dimse.meanings import is_passing, is_passing_status, meaning_of
from tests.test_errors import TREE


def test_every_error_has_the_meaning_of_the_nearest_class_in_the_table() -> None:
    kind: Any
    for kind in TREE:
        error = kind.__new__(kind)
        assert meaning_of(error) is next(meanings.MEANINGS[base] for base in kind.__mro__ if base in meanings.MEANINGS)
    assert meaning_of(dimse.ProviderAborted()) is meanings.MEANINGS[dimse.AssociationAborted]
    assert meaning_of(dimse.AssociationTimeout("acse")) is meanings.MEANINGS[dimse.OperationTimeout]
    assert meaning_of(dimse.InaccessiblePath("x", "gone")).state == "invalid"


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (dimse.ConnectError("Connection refused"), True),
        (dimse.TLSError("the peer's certificate has expired"), False),
        (dimse.TLSError("Connection timed out", lasting=False), True),
        (dimse.ConnectionLost("Connection closed"), True),
        (dimse.AssociationAborted(0, 0), True),
        (dimse.ProviderAborted(2, 1), True),
        (dimse.AssociationReleased("released"), True),
        (dimse.OperationTimeout("dimse"), True),
        (dimse.AssociationRejected(2, 3, 2), True),
        (dimse.AssociationRejected(1, 1, 7), False),
        (dimse.RefusedContexts(["none"]), False),
        (dimse.RemoteProtocolError("PDU of type 42H"), False),
        (dimse.InvalidResponse("C-STORE", "no status"), False),
        (dimse.NotDicomPeer(b"HTTP/1.1 400"), False),
        (dimse.FileError("a.dcm", "cut short"), False),
        (dimse.StatusError(0xA700, "out of resources"), True),
    ],
    ids=lambda value: value.__class__.__name__,
)
def test_only_a_fault_of_the_connection_passes(error: dimse.DimseError, passing: bool) -> None:
    assert is_passing(error) is passing


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0xA7FF])
def test_out_of_resources_passes(status: int) -> None:
    assert is_passing_status(status)


@pytest.mark.parametrize("status", [0x0122, 0x0110, 0xA800, 0xA900, 0xC000, 0xC700, 0xB000, 0xFE00])
def test_no_other_status_does(status: int) -> None:
    assert not is_passing_status(status)

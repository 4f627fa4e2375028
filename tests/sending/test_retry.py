"""What is worth another attempt, and when."""

from __future__ import annotations

import pytest

import dimse
from dimse.sending.retry import Retry, is_passing, is_passing_status


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


def test_waits_grow_fourfold_up_to_the_longest_and_are_shortened_by_chance() -> None:
    retry = Retry(5, wait=1, longest=60)
    assert [retry.pause(failures, 0) for failures in range(1, 6)] == [1, 4, 16, 60, 60]
    assert [retry.pause(failures, 1) for failures in range(1, 6)] == [0.5, 2, 8, 30, 30]
    assert retry.pause(10_000, 0) == 60
    assert Retry(1, wait=0).pause(1, 0) == 0


@pytest.mark.parametrize("wrong", [{"times": -1}, {"wait": -0.5}, {"longest": -1}])
def test_negative_numbers_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        Retry(**wrong)

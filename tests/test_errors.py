"""The exceptions: one tree, and each says in words what happened."""

from __future__ import annotations

import pytest

import dimse
from dimse import errors

TREE = {
    errors.DimseError: Exception,
    errors.AssociationError: errors.DimseError,
    errors.ConnectError: errors.AssociationError,
    errors.TLSError: errors.ConnectError,
    errors.TLSConfigurationError: errors.DimseError,
    errors.AssociationRejected: errors.AssociationError,
    errors.AssociationAborted: errors.AssociationError,
    errors.ProviderAborted: errors.AssociationAborted,
    errors.AssociationReleased: errors.AssociationError,
    errors.ConnectionLost: errors.AssociationError,
    errors.NegotiationError: errors.DimseError,
    errors.NoPresentationContext: errors.NegotiationError,
    errors.RefusedContexts: errors.NegotiationError,
    errors.ProtocolError: errors.DimseError,
    errors.LocalProtocolError: errors.ProtocolError,
    errors.RemoteProtocolError: errors.ProtocolError,
    errors.InvalidCommand: errors.RemoteProtocolError,
    errors.InvalidResponse: errors.RemoteProtocolError,
    errors.NotDicomPeer: errors.RemoteProtocolError,
    errors.UnusableMaximumLength: errors.NegotiationError,
    errors.OperationTimeout: errors.DimseError,
    errors.AssociationTimeout: errors.OperationTimeout,
    errors.StatusError: errors.DimseError,
    errors.FileError: errors.DimseError,
    errors.InaccessiblePath: errors.FileError,
    errors.NotSent: errors.DimseError,
    errors.ServerFailed: errors.DimseError,
    errors.JournalError: errors.DimseError,
    errors.DatabaseError: errors.DimseError,
    errors.QueryTooLong: errors.DatabaseError,
    errors.IdentityNotConfirmed: errors.NegotiationError,
}


def test_there_is_one_tree() -> None:
    for error, parent in TREE.items():
        assert error.__bases__[0] is parent
    defined = {thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert defined == set(TREE)
    assert issubclass(errors.OperationTimeout, TimeoutError)


@pytest.mark.parametrize(
    "error",
    [
        errors.AssociationTimeout,
        errors.ConnectError,
        errors.IdentityNotConfirmed,
        errors.NotDicomPeer,
        errors.RefusedContexts,
        errors.RemoteProtocolError,
        errors.TLSError,
        errors.UnusableMaximumLength,
    ],
)
def test_every_way_to_have_no_association_is_an_association_error(error: type[Exception]) -> None:
    assert issubclass(error, dimse.AssociationError)


def test_every_error_that_a_user_meets_is_a_public_name() -> None:
    # Those of a database are met by the users of an index, who import `dimse.errors`.
    for error in set(TREE) - {errors.InvalidCommand, errors.DatabaseError, errors.QueryTooLong}:
        assert getattr(dimse, error.__name__) is error


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1, 1, 7), "Rejected Permanent, Service User, Called AE title not recognised"),
        ((1, 1, 3), "Rejected Permanent, Service User, Calling AE title not recognised"),
        ((1, 2, 2), "Rejected Permanent, Service Provider (ACSE), Protocol version not supported"),
        ((2, 3, 1), "Rejected Transient, Service Provider (Presentation), Temporary congestion"),
        ((9, 8, 7), "(unknown result 9), (unknown source 8), (unknown reason 7)"),
        ((1, 3, 99), "Rejected Permanent, Service Provider (Presentation), (unknown reason 99)"),
    ],
)
def test_a_rejection_says_result_source_and_reason(numbers: tuple[int, int, int], words: str) -> None:
    error = errors.AssociationRejected(*numbers)
    assert str(error) == f"Association Rejected: {words}"
    assert (error.result, error.source, error.reason) == numbers


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.AssociationAborted(), "aborted by the DUL service-user"),
        (errors.ProviderAborted(2, 6), "by the DUL service-provider: Invalid PDU parameter value"),
        (errors.ProviderAborted(2, 99), "by the DUL service-provider: 99"),
        (errors.AssociationAborted(77), "aborted by the peer"),
        (errors.OperationTimeout("dimse"), "dimse timeout reached"),
        (errors.InvalidResponse("C-STORE", "it is late"), "invalid C-STORE response from the peer: it is late"),
        (errors.NotDicomPeer(b"HTTP/1.1 400\r\nServer"), "it sent 'HTTP/1.1 400'"),
        (errors.NotDicomPeer(b"\xff\x00\x1b"), r"it sent '\xff\x00\x1b'"),
        (errors.NotDicomPeer(b"\x15\x03\x03\x00\x02"), "does not speak DICOM, but TLS: both sides have to speak it"),
        (errors.TLSConfigurationError("me.pem", "empty"), "me.pem: empty"),
        (errors.TLSConfigurationError("", "no certificate"), "no certificate"),
        (errors.FileError("a.dcm", "empty file"), "a.dcm: empty file"),
        (errors.RefusedContexts(["CT: refused"]), "No accepted presentation contexts"),
    ],
)
def test_an_error_says_what_happened(error: errors.DimseError, words: str) -> None:
    assert words in str(error)
    assert str(error).isprintable()

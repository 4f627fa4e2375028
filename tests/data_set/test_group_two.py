"""Elements of group 0002 that lead a data set are told, whatever its encoding and wherever its first bytes are cut."""

from __future__ import annotations

import pytest

from dimse import uids
from dimse.data_set.group_two import MAXIMUM_SIZE, can_lead, leading_size
from dimse.data_set.walk import MalformedDataSet
from dimse.uids import TransferSyntax
from tests.data_set.test_walk import BIG, DEFLATED, EXPLICIT, IMPLICIT, JPEG, element, head

SYNTAXES = [IMPLICIT, EXPLICIT, BIG, JPEG]


def stray(syntax: TransferSyntax) -> bytes:
    """Return a short and a long element of group 0002, and an empty one."""
    return (
        element(0x00020001, b"OB", b"\0\1", syntax)
        + element(0x00020010, b"UI", b"1.2.840.10008.1.2.4.50", syntax)
        + element(0x00020013, b"SH", b"", syntax)
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_leading_elements_are_counted(syntax: TransferSyntax) -> None:
    assert leading_size(stray(syntax) + head(syntax), syntax) == len(stray(syntax))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_data_set_that_begins_with_another_group_has_none(syntax: TransferSyntax) -> None:
    assert leading_size(head(syntax) + stray(syntax), syntax) == 0


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_not_all_there_is_not_guessed(syntax: TransferSyntax) -> None:
    whole = stray(syntax) + head(syntax)
    size = len(stray(syntax))
    for cut in range(size + 10):
        assert leading_size(whole[:cut], syntax) == (None if cut < size + 2 else size)


@pytest.mark.parametrize(("said", "is_"), [(IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT)])
def test_a_vr_that_contradicts_the_transfer_syntax_counts(said: TransferSyntax, is_: TransferSyntax) -> None:
    assert leading_size(stray(is_) + head(is_), said) == len(stray(is_))


@pytest.mark.parametrize("syntax", [None, DEFLATED])
def test_where_they_cannot_be_told_there_are_none(syntax: TransferSyntax | None) -> None:
    assert not can_lead(syntax)
    assert leading_size(stray(EXPLICIT) + head(EXPLICIT), syntax) == 0


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("length", [MAXIMUM_SIZE, 0xFFFFFFFE, 0xFFFFFFFF])
def test_a_length_beyond_the_limit_is_malformed_at_once(syntax: TransferSyntax, length: int) -> None:
    with pytest.raises(MalformedDataSet, match="do not end within 65,536 bytes"):
        leading_size(element(0x00020001, b"OB", b"", syntax, length), syntax)


def test_many_small_ones_have_the_same_limit() -> None:
    many = element(0x00020013, b"SH", b"", EXPLICIT) * 10_000
    with pytest.raises(MalformedDataSet, match="do not end within 65,536 bytes"):
        leading_size(many, EXPLICIT)
    assert leading_size(many[:8_000], EXPLICIT) is None


def test_in_a_data_set_that_has_no_elements_nothing_leads() -> None:
    assert not can_lead(uids.transfer_syntax(uids.RFC2557MIMEEncapsulation))
    assert can_lead(uids.transfer_syntax(uids.ExplicitVRLittleEndian))

"""The presentation contexts that are proposed for the waiting files."""

from __future__ import annotations

import pytest

from dimse import uids
from dimse.sending.proposal import Need, Proposal, Syntaxes

CT, MR = uids.CTImageStorage, uids.MRImageStorage
EXPLICIT, IMPLICIT, RLE = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian, uids.RLELossless


def proposed(proposal: Proposal) -> list[tuple[str, tuple[str, ...]]]:
    return [(context.abstract_syntax, context.transfer_syntaxes) for context in proposal.contexts]


@pytest.mark.parametrize(
    ("syntaxes", "expected"),
    [
        (Syntaxes(), [(CT, (RLE,)), (CT, (EXPLICIT,)), (CT, (EXPLICIT, IMPLICIT)), (MR, (RLE,)), (MR, (EXPLICIT, IMPLICIT))]),
        (Syntaxes(exact=True), [(CT, (RLE,)), (CT, (EXPLICIT,)), (MR, (RLE,))]),
        (Syntaxes((IMPLICIT,)), [(CT, (IMPLICIT,)), (MR, (IMPLICIT,))]),
    ],
    ids=["own and fall-back", "exact", "chosen"],
)  # fmt: skip
def test_the_contexts_of_each_way_to_choose(syntaxes: Syntaxes, expected: object) -> None:
    assert proposed(Proposal(syntaxes, [(CT, RLE), (MR, RLE), (CT, EXPLICIT)])) == expected


def test_a_syntax_that_was_not_proposed_is_not_covered() -> None:
    proposal = Proposal(Syntaxes(), [(CT, RLE)])
    assert proposal.covers((CT, RLE))
    # A peer may accept the fall-back in the other syntax.
    assert not proposal.covers((CT, IMPLICIT))
    assert not proposal.covers((CT, uids.JPEG2000))
    assert not proposal.covers((MR, RLE))


def test_with_chosen_syntaxes_a_class_is_covered_whatever_its_files_are_in() -> None:
    proposal = Proposal(Syntaxes((IMPLICIT,)), [(CT, RLE)])
    assert proposal.covers((CT, uids.JPEG2000))
    assert not proposal.covers((MR, RLE))


def test_exactly_what_the_files_are_covers_nothing_else() -> None:
    proposal = Proposal(Syntaxes(exact=True), [(CT, RLE)])
    assert proposal.covers((CT, RLE))
    assert not proposal.covers((CT, IMPLICIT))


def rounds(syntaxes: Syntaxes, needs: list[Need]) -> list[int]:
    """Count the contexts that each association proposes until everything has been covered."""
    sizes = []
    while needs:
        proposal = Proposal(syntaxes, needs)
        sizes.append(len(proposal.contexts))
        assert proposal.covers(needs[0])  # what is most urgent always fits
        needs = [need for need in needs if not proposal.covers(need)]
    return sizes


@pytest.mark.parametrize(
    ("syntaxes", "classes", "own", "expected"),
    [
        (Syntaxes(), 64, 1, [128]),
        (Syntaxes(), 65, 1, [128, 2]),
        (Syntaxes(), 1, 300, [128, 128, 47]),
        (Syntaxes(exact=True), 1, 300, [128, 128, 44]),
        (Syntaxes((IMPLICIT,)), 300, 2, [128, 128, 44]),
        (Syntaxes(), 3, 100, [101, 101, 101]),
    ],
)
def test_no_association_has_more_than_128(syntaxes: Syntaxes, classes: int, own: int, expected: list[int]) -> None:
    needs = [(f"1.2.{number}", f"1.3.{syntax}") for number in range(classes) for syntax in range(own)]
    assert rounds(syntaxes, needs) == expected

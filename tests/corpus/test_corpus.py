"""Whatever a peer says, only what is documented comes of it, in bounded time and memory: see tests/corpus/table.py."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from dimse import uids
from dimse.data_set.transcode import targets, transcode
from dimse.errors import FileError
from fuzz import command_set
from tests.corpus.case import Case, Outcome, listen, outcome
from tests.corpus.data_sets import BOMB
from tests.corpus.table import CATEGORIES, IN_ALL, SECONDS, cases, tally, that_differ
from tests.message.samples import CLASSES, elements_of, sample
from tests.message.test_elements import DEFECTS

# These take more than half a second.
LONG = {"C1", "C4", "C7", "C9"}
SHORT_AND_LONG = [pytest.param(name, marks=[pytest.mark.thorough] if name in LONG else []) for name in CATEGORIES]
every_category = pytest.mark.parametrize("name", CATEGORIES)


@every_category
def test_there_are_as_many_cases_as_there_should_be(name: str) -> None:
    assert len(cases(name)) >= CATEGORIES[name].floor


def test_there_are_20_000_different_cases_in_all() -> None:
    counts = {name: len(cases(name)) for name in CATEGORIES}
    print(*(f"{name}: {count:,}" for name, count in counts.items()), f"in all: {sum(counts.values()):,}", sep="\n")
    different = {
        (case.state, case.before, case.data, case.transfer_syntax) for name in CATEGORIES for case in cases(name)
    }
    assert len(different) > IN_ALL


@pytest.mark.parametrize("name", SHORT_AND_LONG)
def test_what_is_documented_comes_of_each_case_and_nothing_else(name: str) -> None:
    came = tally(name)
    assert not came.wrong
    assert came.outcomes.total() == len(cases(name))
    assert came.slowest[0] < SECONDS, came.slowest[1]


def test_nothing_that_is_cut_is_complete() -> None:
    assert tally("C2").outcomes.keys() == {Outcome.WAITING}


@pytest.mark.thorough
@every_category
def test_it_does_not_matter_how_the_bytes_of_a_case_are_cut(name: str) -> None:
    assert not that_differ(name)


def peak(case: Case) -> int:
    """Return the peak of memory, in bytes, of hearing a case, without the tuples in which the listener lists it.
    The first time, which compiles the constructors of records, does not count. Objects that Python keeps to use again are given up
    before, because to take them again would not be counted.
    which would not be counted.
    """
    outcome(case, listen(case))
    gc.collect()
    tracemalloc.start()
    try:
        listener = listen(case)
        outcome(case, listener)
        with_list, most = tracemalloc.get_traced_memory()
        listener.heard[:] = [part for said in listener.heard for part in (said if isinstance(said, tuple) else (said,))]
        gc.collect()
        return most - with_list + tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.sample("C1")
@every_category
def test_memory_is_bounded_by_what_arrived(name: str) -> None:
    """A factor is allowed because the listener keeps what it heard, and the data set once more."""
    case = max(cases(name), key=lambda case: len(case.data))
    assert peak(case) < 8 * len(case.data) + 256 * 1024, case.name


@pytest.mark.thorough
def test_a_bomb_is_not_inflated_in_memory() -> None:
    bombs = [case for case in cases("C9") if "bomb" in case.name]
    assert len(bombs) == 4
    for bomb in bombs:
        assert peak(bomb) < BOMB / 8, bomb.name


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_command_set_is_read_or_refused_as_promised(defect: str) -> None:
    for message_class in CLASSES:
        command_set.one(DEFECTS[defect][1](elements_of(sample(message_class))))


@pytest.mark.thorough
def test_a_data_set_that_passes_is_re_encoded_or_refused() -> None:
    """Such a data set is whole, but its content need not make sense."""
    re_encoded = 0
    for case in cases("C9"):
        assert case.transfer_syntax is not None
        if Outcome.TAKEN in case.may and "bomb" not in case.name:
            source = case.transfer_syntax.uid
            for target in targets(source, [uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian], lossy=True):
                try:
                    transcode(data_set(case), source, target, path="made.dcm", lossy=True)
                except FileError as error:
                    assert "\n" not in str(error)
                else:
                    re_encoded += 1
    assert re_encoded > 200


def data_set(case: Case) -> bytes:
    """Return the data set of a C-STORE-RQ."""
    return b"".join(bytes(said[2]) for said in listen(case).heard[2:] if isinstance(said, tuple))

"""A corpus of faulty input from peers: some 30,000 cases, which are generated here and always the same.

`CATEGORIES` is the table. It has the contents of each category, its least number of cases, and their generator. A case consists of
the bytes that arrive, the state in which they arrive, and the outcomes that are allowed. If the Standard or our limits leave no
choice, that is one outcome. The bytes go through all code
that has no socket: upper layer, negotiation, assembly of messages, command sets, and the walk over data sets. `python -m
tests.corpus` prints the table with the outcomes.

These conditions hold for each case (`test_corpus.py`):

- Only documented exceptions are raised, and the outcome is one that the case allows. The rest of a truncated input is awaited. It
  is never indicated as complete, so nothing of it is stored.
- `fuzz.pdu_stream.Listener` tests its conditions after each piece. No more is held than a PDU's header has admitted, and the bytes
  that are owed are whole PDUs. The ARTIM timer runs as Table 9-10 says. After the close the machine is idle and owes nothing.
- It takes less than one second of CPU time, and no more memory than a few times the bytes that arrived.
- C12: the indications, state and faults are the same if it arrives whole, byte by byte or split at random places.

C13 is the table of docs/tolerance.md: the faults that are tolerated in an association request or its answer.

`dimse.association` decides whether a presentation context was accepted, and is tested with real connections. Names and log lines
(C11) are in tests/archive/test_names.py and tests/logs/test_logs.py.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

from tests.corpus import associations, data_sets, messages
from tests.corpus.case import Case, Outcome, listen, outcome

IN_ALL = 20_000
"""Cases that there are at least."""

SECONDS = 1.0
"""The most CPU time that a case may take."""

# The first and last bytes of a longer case that arrive one by one; the others arrive in pieces.
EACH_BYTE = 1024
RANDOM_PLACES = 20


@dataclass(frozen=True, slots=True)
class Category:
    """A row of the table.

    Attributes:
        what: What is wrong in its cases.
        floor: How many there are at least.
        cases: Makes them, in the same order each time.
    """

    what: str
    floor: int
    cases: Callable[[], Iterator[Case]]


CATEGORIES = {
    "C1": Category("PDU headers: 256 types, 12 lengths, 4 states", 12_288, associations.headers),
    "C2": Category("valid PDUs cut at every byte", 1_500, associations.cuts),
    "C3": Category("each length field of a request and an answer", 312, associations.lengths),
    "C4": Category("items of every type, at each level", 768, associations.strangers),
    "C5": Category("presentation contexts", 300, associations.contexts),
    "C6": Category("user information sub-items", 160, associations.sub_items),
    "C7": Category("P-DATA: lengths, contexts, control headers", 9_100, messages.values),
    "C8": Category("command sets: 23 messages, 40 defects", 690, messages.commands),
    "C9": Category("data sets", 1_500, data_sets.data_sets),
    "C13": Category("what peers say wrong, field by field", 150, associations.tolerated),
}


@cache
def cases(name: str) -> tuple[Case, ...]:
    """Return the cases of a category."""
    return tuple(CATEGORIES[name].cases())


@dataclass(slots=True)
class Tally:
    """A tally of the outcomes of a category.

    Attributes:
        outcomes: The number of cases with each outcome.
        wrong: The cases with an outcome that is not allowed.
        slowest: The longest CPU time of a case, and its name.
        seconds: The CPU time of all.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0


def tally(name: str) -> Tally:
    """Try each case of a category once, whole."""
    counted = Tally()
    for case in cases(name):
        started = time.process_time()
        try:
            came = outcome(case, listen(case))
        except Exception as error:
            raise AssertionError(f"{name}: {case.name}") from error
        took = time.process_time() - started
        counted.seconds += took
        counted.slowest = max(counted.slowest, (took, case.name))
        counted.outcomes[came] += 1
        if came not in case.may:
            counted.wrong.append(f"{case.name}: {came}, not {' or '.join(sorted(case.may))}")
    return counted


def that_differ(name: str) -> list[str]:
    """Return C12: the cases of a category that differ if they arrive whole, byte by byte, or split at random places."""
    chance = random.Random(name)
    different = []
    for case in cases(name):
        size = len(case.data)
        scattered = sorted(chance.choices(range(1, size), k=min(RANDOM_PLACES, size // 2))) if size > 1 else []
        ends = sorted({*range(1, size)[:EACH_BYTE], *range(1, size)[-EACH_BYTE:], *scattered})
        whole = listen(case).state()
        if not listen(case, ends).state() == listen(case, scattered).state() == whole:
            different.append(case.name)
    return different

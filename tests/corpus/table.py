"""What a peer may say that is wrong: some 30,000 cases, made here and not kept, and always the same.

`CATEGORIES` is the table: what is in a category, how many cases it has at least, and what makes them. A case is the bytes that
arrive, the state in which they do, and what may come of them; where the Standard or our limits leave no choice it is one outcome.
The bytes go through everything that has no socket: the upper layer and its machine, the negotiation, the assembly of messages, the
command set, and the walk over the data set. `python -m tests.corpus` prints the table with what came of the cases.

What holds for each of them (`test_corpus.py`):

- No exception but the documented ones, and one of the outcomes that the case allows. What is cut is awaited, never indicated as
  complete, so nothing of it is stored.
- After each piece, what `fuzz.pdu_stream.Listener` tests: no more is held than was let in by a PDU's header, the ARTIM timer runs
  where Table 9-10 says, what is owed are whole PDUs; and after the close the machine is idle and owes nothing.
- It takes less than a second of CPU time, and of memory no more than a few times the bytes that arrived.
- C12: whole, byte by byte and cut at random places it has the same indications, state and faults.

What of a peer's faults is tolerated in an association request or its answer is C13: the table of docs/tolerance.md.

Whether a presentation context was accepted is for `dimse.association` to say, which is tested with real connections. Names and log
lines (C11) are in tests/archive/test_names.py and tests/logs/test_logs.py.
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

EACH_BYTE = 1024  # of what is longer, as many bytes at either end arrive one by one, and the rest in pieces
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
    """The cases of a category."""
    return tuple(CATEGORIES[name].cases())


@dataclass(slots=True)
class Tally:
    """What came of the cases of a category.

    Attributes:
        outcomes: How many had which outcome.
        wrong: Those that had another than they may.
        slowest: The most CPU time that one took, and which.
        seconds: CPU time of all.
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
    """C12: the cases of a category that are not the same whole, byte by byte and cut at random places."""
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

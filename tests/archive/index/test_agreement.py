"""A search in the index finds what `dimse.matching` accepts among all entities."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random

import pytest

from dimse.archive.index import Index
from dimse.archive.index.attributes import LEVELS, Level
from dimse.archive.index.levels import matched
from dimse.archive.index.row import Location
from dimse.archive.index.search import entities
from dimse.data_set.attributes import Attributes
from dimse.matching import Rules, UnfitKey, prepare
from dimse.services.information_models import UNIQUE_KEYS
from tests.archive.index.archives import Archive, Entity, tag_of
from tests.archive.index.identifiers import some_identifier, some_rules

QUERIES = int(os.environ.get("DIMSE_SEARCH_QUERIES", "20000"))
SEED = int(os.environ.get("DIMSE_SEARCH_SEED", "16"))
# Queries of one archive.
_ROUND = 200


def accepted(archive: Archive, level: Level, wanted: Attributes, rules: Rules) -> list[Entity] | None:
    """Return the entities that `dimse.matching` accepts, each held against the keys; None if it refuses a key."""
    try:
        queries = [prepare(some, rules) for some in matched(level, wanted, "patient")]
    except UnfitKey:
        return None
    return [entity for entity in archive.entities[level] if all(query.matches(entity) for query in queries)]


_OF_PATIENT = frozenset(tag_of(f"NumberOfPatientRelated{name}") for name in ("Studies", "Series", "Instances"))


def returned(entity: Entity, wanted: Attributes) -> Entity:
    """Return the attributes that a search returns of an entity: the numbers of a patient's entities only where asked for."""
    return {tag: attribute for tag, attribute in entity.items() if tag not in _OF_PATIENT or tag in wanted}


def agree(seed: int, queries: int, index: Index) -> Counter[str]:
    """Ask an archive of a seed so many queries, and return how many of them found nothing, something and all."""
    archive = Archive(seed)
    archive.add_to(index)
    random = Random(seed)
    outcomes: Counter[str] = Counter()

    def read(location: Location, tags: frozenset[int]) -> Attributes:
        found = archive.files[location.path]
        return {tag: found[tag] for tag in tags if tag in found and found[tag].values}

    for number in range(queries):
        level = random.choice(LEVELS)
        wanted = some_identifier(random, level, archive.entities[level])
        rules = some_rules(random)
        page = random.choice((7, 50, 500, 500))
        expected = accepted(archive, level, wanted, rules)
        try:
            found = list(
                entities(index.database, level, wanted, root="patient", rules=rules, page=page, read_file=read)
            )
        except UnfitKey:
            assert expected is None
            outcomes["refused"] += 1
            continue
        assert expected is not None
        what = f"seed {seed}, query {number}: {level} {wanted} {rules}"
        unique = UNIQUE_KEYS[level]
        assert [entity.get(unique) for entity in found] == [entity.get(unique) for entity in expected], what
        for one, other in random.sample(list(zip(found, expected, strict=True)), min(len(found), 5)):
            assert dict(one) == returned(other, wanted), what
        outcomes["none" if not found else "all" if len(found) == len(archive.entities[level]) else "some"] += 1
    return outcomes


@pytest.mark.parametrize(
    ("first", "archives"),
    [
        (SEED, 2),
        pytest.param(SEED, 10, marks=[pytest.mark.thorough, pytest.mark.timeout(600)]),
        pytest.param(SEED, max(1, QUERIES // _ROUND), marks=[pytest.mark.campaign, pytest.mark.timeout(0)]),
    ],
)
def test_a_search_finds_what_matches(
    new_index: Callable[[], AbstractContextManager[Index]], first: int, archives: int
) -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + archives):
        with new_index() as index:
            outcomes += agree(seed, _ROUND, index)
    # Most random keys match nothing; the others are what counts.
    assert outcomes["some"] > outcomes.total() // 5

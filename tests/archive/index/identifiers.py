"""Random identifiers that are near to what an archive has, so that they often match."""

from __future__ import annotations

from random import Random

from dimse import tags
from dimse.archive.index.attributes import Level, keys
from dimse.archive.index.levels import is_matched
from dimse.data_set.attributes import TEXT, Attribute, Attributes
from dimse.matching import Rules
from tests.archive.index.archives import Entity, values_for

_CHANGES = ("*", "?", "", "", "**", "^", "=", " ", "%", "_", "\\", "'", "!", "\0", "é", "Ｄ")


def some_rules(random: Random) -> Rules:
    """Return rules, most often those without negotiation."""
    flags = ("date_time", "fuzzy", "empty_values", "multiple_values", "match_case", "match_unknown")
    return Rules(**{flag: random.random() < 0.2 for flag in flags})


def some_identifier(random: Random, level: Level, entities: list[Entity]) -> Entity:
    """Return the keys of a query: some that one entity of the archive might match, and others."""
    entity = random.choice(entities)
    found: Entity = {}
    allowed = [tag for tag in keys() if is_matched(tag, level)]
    present = [tag for tag in allowed if tag in entity]
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        tag = random.choice(present if random.random() < 0.8 else allowed)
        found[tag] = _some_key(random, tag, entity, entities)
    if level == "STUDY" and random.random() < 0.1:
        found[0x00080060] = Attribute("CS", (random.choice(["CT", "MR", "C?", "*", "CT\\MR"]),))
    if random.random() < 0.05:
        # Keys that the index does not have are passed over.
        found[0x00189999] = Attribute("LO", ("x",))
        found[0x00080052] = Attribute("CS", (level,))
    return found


def _some_key(random: Random, tag: int, entity: Attributes, entities: list[Entity]) -> Attribute:
    vr = tags.vr(tag)
    chance = random.random()
    if chance < 0.05:
        return Attribute(vr, ())
    if chance < 0.08 and vr in TEXT:
        return Attribute(vr, (random.choice(['""', "*", "**", "?", " "]),))
    if chance < 0.10:
        return random.choice([Attribute("LO", ("1",)), Attribute("CS", ("CT*",)), Attribute("US", (1,))])
    given = entity.get(tag, Attribute(vr, ()))
    if vr == "SQ":
        return Attribute("SQ", (_some_item(random, given),))
    if vr not in TEXT:
        return given
    count = random.choice((1, 1, 1, 1, 2, 3)) if vr in ("CS", "IS", "LO", "PN", "SH", "UI", "AS") else 1
    return Attribute(vr, tuple(_some_value(random, tag, vr, given, entities) for _ in range(count)))


def _some_item(random: Random, given: Attribute) -> Entity:
    item = random.choice(given.values) if given.values else {}
    found: Entity = {}
    for tag, attribute in item.items():
        if random.random() < 0.4:
            found[tag] = _some_key(random, tag, item, [])
        del attribute
    return found


def _some_value(random: Random, tag: int, vr: str, given: Attribute, entities: list[Entity]) -> str:
    if given.vr != "SQ" and given.values and random.random() < 0.7:
        text = str(random.choice(given.values))
    elif entities and random.random() < 0.5:
        text = str(random.choice(random.choice(entities).get(tag, Attribute(vr, ("1.2.3",))).values))
    elif vr == "UI":
        text = random.choice(["1.2.3", "1.2.10", "1.2.x", "1.2.'"])
    else:
        text = random.choice(values_for(tags.keyword(tag)))
    if vr in ("DA", "TM"):
        return _some_range(random, tag, text)
    return _changed(random, text)


def _some_range(random: Random, tag: int, text: str) -> str:
    other = random.choice(values_for(tags.keyword(tag)))
    return random.choice([text, text, f"{text}-{other}", f"{other}-{text}", f"{text}-", f"-{text}", f"{text}-{text}"])


def _changed(random: Random, text: str) -> str:
    text = random.choice((str, str, str, str.upper, str.lower, str.swapcase))(text)
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        at, end = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
        text = text[:at] + random.choice(_CHANGES) + text[end:]
    return text

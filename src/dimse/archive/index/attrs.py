"""The column `attrs`: the attributes without a column of their own, as an object of the DICOM JSON Model (PS3.18 Annex F).

`dimse.data_set.json.read` reads it. Numbers of VR DS and IS are text in it, so that they keep their digits.
"""

from __future__ import annotations

import json
import math
from binascii import b2a_base64
from collections.abc import Iterable
from typing import Any

from dimse.archive.index.normal import plain
from dimse.data_set.attributes import BYTES, TEXT, Attribute, Attributes

LONGEST_VALUE = 1024
"""Characters of the JSON of a value; a longer one is left out."""

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def write_attrs(attributes: Attributes, tags: Iterable[int]) -> str | None:
    """Return those of the tags that have a value as JSON; None if no one has.

    Args:
        attributes: The attributes of a data set.
        tags: The tags.
    """
    members = []
    for tag in tags:
        attribute = attributes.get(tag)
        if attribute is None or attribute.vr in BYTES:
            continue
        member = json.dumps(_member(attribute), ensure_ascii=False, separators=(",", ":"))
        if len(member) <= LONGEST_VALUE and '"Value":' in member:
            members.append(f'"{tag:08X}":{member}')
    return f"{{{','.join(members)}}}" if members else None


def _member(attribute: Attribute) -> dict[str, Any]:
    """Return the object of an attribute."""
    vr, values = attribute
    if vr in TEXT:
        values = tuple(plain(vr, value) for value in values)
    if not any(value != "" for value in values):
        return {"vr": vr}
    if vr in BYTES:
        return {"vr": vr, "InlineBinary": b2a_base64(b"".join(values), newline=False).decode("ascii")}
    return {"vr": vr, "Value": [_value(vr, value) for value in values]}


def _value(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return {f"{tag:08X}": _member(value[tag]) for tag in sorted(value)}
    if value == "":
        return None
    if vr == "PN":
        return {group: text for group, text in zip(_GROUPS, value.split("="), strict=False) if text}
    if vr == "AT":
        return f"{value:08X}"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value

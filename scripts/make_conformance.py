"""Generate the tables of `docs/conformance.md` from the package: `python -m scripts.make_conformance`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from dimse import tags, uids
from dimse.archive.index.attributes import LEVELS, Level, keys
from dimse.services.information_models import UNIQUE_KEYS
from dimse.tools import qrscp
from scripts.parsers import parser_of

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"


def page(text: str) -> str:
    """Return the page with new tables."""
    tables = {
        "archive": table(_of_the_archive()),
        "keys": "".join(_keys_of(level) for level in LEVELS),
        "storage": table(sorted(uids.STORAGE_SOP_CLASSES)),
        "syntaxes": table(uids.STORABLE_TRANSFER_SYNTAXES),
    }
    for name, made in tables.items():
        before, after = re.split(f"(?<=<!-- {name} -->).*?(?=<!-- end -->)", text, maxsplit=1, flags=re.DOTALL)
        text = f"{before}\n{made}{after}"
    return text


def _of_the_archive() -> list[str]:
    """Return the SOP classes for which qrscp is an SCP besides Verification, storage and storage commitment."""
    options = parser_of("qrscp").parse_args([])
    others = {uids.Verification, uids.StorageCommitmentPushModel} | uids.STORAGE_SOP_CLASSES
    return sorted(qrscp.contexts(options) - others)


def _keys_of(level: Level) -> str:
    """Return the table of the keys of a level."""
    rows = []
    for key in keys().values():
        if key.level == level:
            is_unique = key.tag == UNIQUE_KEYS[level]
            where = "computed" if key.is_computed else "index" if key.column or level != "IMAGE" else "file"
            name = f"{key.keyword} ({key.tag >> 16:04X},{key.tag & 0xFFFF:04X})"
            rows.append(
                f"| {name} | {tags.vr(key.tag)} | {'unique' if is_unique else 'matched, returned'} | {where} |\n"
            )
    return f"\n| key of the level {level} | VR | use | from |\n|---|---|---|---|\n{''.join(rows)}\n"


def table(listed: Iterable[str]) -> str:
    """Return a table with a row for each UID and its name."""
    # Some retired UIDs have the name of their successor.
    known = uids.dictionary()
    rows = (f"| {known[uid].name}{' (Retired)' if known[uid].retired else ''} | {uid} |\n" for uid in listed)
    return f"\n| name | UID |\n|---|---|\n{''.join(rows)}\n"


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Generate the tables of `docs/conformance.md` from the package: `python scripts/make_conformance.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from dimse import uids

PAGE = Path(__file__).parent.parent / "docs" / "conformance.md"


def page(text: str) -> str:
    """Return the page with new tables."""
    tables = {
        "storage": sorted(uids.STORAGE_SOP_CLASSES),
        "syntaxes": uids.STORABLE_TRANSFER_SYNTAXES,
    }
    for name, listed in tables.items():
        before, after = re.split(f"(?<=<!-- {name} -->).*?(?=<!-- end -->)", text, maxsplit=1, flags=re.DOTALL)
        text = f"{before}\n{table(listed)}{after}"
    return text


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

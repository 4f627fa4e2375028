"""Write `src/dimse/tags/table.py` and `names.py`, the data dictionary of PS3.6 sections 6 to 9, anew from pydicom's.

Run it where pydicom is installed, after a new edition of the Standard: `python scripts/make_tags.py`.
"""

from __future__ import annotations

from pathlib import Path

from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

ROOM = Path(__file__).parent.parent / "src" / "dimse" / "tags"

TABLE_HEAD = '''"""The data dictionary of PS3.6 as `tags` reads it, an attribute a line.

A line has the tag, the VR, the VM, the keyword, and "R" if the attribute is retired. Tags are in hexadecimal and in order. In a tag
of a repeating group an "x" stands for any digit.
Written by scripts/make_tags.py, not by hand.
"""

from __future__ import annotations

'''

NAMES_HEAD = '''"""The names of PS3.6 by tag, an attribute a line, where `tags` looks for them.

They are apart from `table.py` because few programs show them, and a table half as long is loaded in half the time.
Written by scripts/make_tags.py, not by hand.
"""

from __future__ import annotations

'''

# VR, VM, name, "Retired" or nothing, and keyword.
Row = tuple[str, str, str, str, str]


def rows() -> list[tuple[str, Row]]:
    """Return the rows of the attributes by tag."""
    return [(f"{tag:08X}", row) for tag, row in sorted(DicomDictionary.items())]


def repeating_rows() -> list[tuple[str, Row]]:
    """Return the rows of the repeating groups by tag."""
    return sorted(RepeatersDictionary.items())


def table_of(rows: list[tuple[str, Row]]) -> str:
    """Return all of the rows but the names, a line each, between two line breaks."""
    lines = ("|".join((tag, vr, vm, keyword, "R" if retired else "")) for tag, (vr, vm, _, retired, keyword) in rows)
    return "\n".join(["", *lines, ""])


def names_of(rows: list[tuple[str, Row]]) -> str:
    """Return the names of the rows, a line each, between two line breaks."""
    return "\n".join(["", *(f"{tag}|{name}" for tag, (_, _, name, _, _) in rows), ""])


def modules() -> dict[str, str]:
    """Return the text of the modules by file name."""
    table = f'ATTRIBUTES = """{table_of(rows())}"""\n\nREPEATING = """{table_of(repeating_rows())}"""\n'
    names = f'NAMES = """{names_of(rows() + repeating_rows())}"""\n'
    return {"table.py": TABLE_HEAD + table, "names.py": NAMES_HEAD + names}


def main() -> None:
    for file, text in modules().items():
        (ROOM / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

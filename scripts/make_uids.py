"""Write `src/dimse/uid_table.py`, the table of PS3.6 Table A-1, anew from pydicom's dictionary.

Run it where pydicom is installed, after a new edition of the Standard: `python scripts/make_uids.py`.
"""

from __future__ import annotations

from pathlib import Path

from pydicom._uid_dict import UID_dictionary

MODULE = Path(__file__).parent.parent / "src" / "dimse" / "uid_table.py"

HEAD = '''# ruff: noqa: E501  (the table's lines are as long as the Standard's names)
"""PS3.6 Table A-1 as `uids` reads it, a UID a line: the UID, its type, its keyword, "R" if retired, its name.

Written by scripts/make_uids.py, not by hand.
"""

from __future__ import annotations

'''


def table() -> str:
    """The lines of the table, without one to end the last."""
    rows = (
        "|".join((uid, kind, keyword, "R" if retired else "", name))
        for uid, (name, kind, _, retired, keyword) in UID_dictionary.items()
    )
    return "\n".join(rows)


def main() -> None:
    MODULE.write_text(f'{HEAD}TABLE_A_1 = """\\\n{table()}"""\n', encoding="utf-8")


if __name__ == "__main__":
    main()

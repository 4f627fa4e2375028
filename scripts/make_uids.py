"""Write the table of PS3.6 Table A-1 at the end of `src/dimse/uids.py` anew, from pydicom's dictionary.

Run it where pydicom is installed, after a new edition of the Standard: `python scripts/make_uids.py`.
"""

from __future__ import annotations

from pathlib import Path

from pydicom._uid_dict import UID_dictionary

MODULE = Path(__file__).parent.parent / "src" / "dimse" / "uids.py"
BEGIN = "# BEGIN TABLE"


def table() -> str:
    """One line an entry: UID, type, keyword, "R" if retired, name."""
    rows = (
        "|".join((uid, kind, keyword, "R" if retired else "", name))
        for uid, (name, kind, _, retired, keyword) in UID_dictionary.items()
    )
    return "\n".join(rows)


def main() -> None:
    hand_written, _, _ = MODULE.read_text(encoding="utf-8").partition(BEGIN)
    generated = f'{BEGIN}: all below is written by scripts/make_uids.py\n_TABLE = """\\\n{table()}"""\n'
    MODULE.write_text(hand_written + generated, encoding="utf-8")


if __name__ == "__main__":
    main()

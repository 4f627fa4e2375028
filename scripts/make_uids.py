"""Generate `src/dimse/uids/table.py`, the table of PS3.6 Table A-1, from pydicom's dictionary and from `YOUNGER`.

Generate `src/dimse/uids/keywords.pyi` too, in which type checkers and editors find the keywords of the table.

Run it with pydicom installed, after a new edition of the Standard: `python scripts/make_uids.py`.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydicom._uid_dict import UID_dictionary

from dimse.uids.modalities import TABLE

MODULE = Path(__file__).parent.parent / "src" / "dimse" / "uids" / "table.py"

STUB = MODULE.with_name("keywords.pyi")

HEAD = '''# ruff: noqa: E501  (the table's lines are as long as the Standard's names)
"""PS3.6 Table A-1 as `uids` reads it, a UID a line: the UID, its type, its keyword, "R" if retired, its name.

Written by scripts/make_uids.py, not by hand.
"""

from __future__ import annotations

'''


# Transfer syntaxes of PS3.6 that pydicom's dictionary may not have yet, each list behind the UID that it follows in the table.
YOUNGER = {
    "1.2.840.10008.1.2.4.108": [
        "1.2.840.10008.1.2.4.110|Transfer Syntax|JPEGXLLossless||JPEG XL Lossless",
        "1.2.840.10008.1.2.4.111|Transfer Syntax|JPEGXLJPEGRecompression||JPEG XL JPEG Recompression",
        "1.2.840.10008.1.2.4.112|Transfer Syntax|JPEGXL||JPEG XL",
    ],
    "1.2.840.10008.1.2.7.3": [
        "1.2.840.10008.1.2.8.1|Transfer Syntax|DeflatedImageFrameCompression||Deflated Image Frame Compression",
    ],
}


def table() -> str:
    """Return the lines of the table, without a newline at the end."""
    rows = []
    for uid, (name, kind, _, retired, keyword) in UID_dictionary.items():
        rows.append("|".join((uid, kind, keyword, "R" if retired else "", name)))
        rows += [row for row in YOUNGER.get(uid, ()) if row.partition("|")[0] not in UID_dictionary]
    return "\n".join(rows)


STUB_HEAD = '''# ruff: noqa: N816  (some keywords of the Standard begin with a small letter)
"""The keywords of PS3.6 Table A-1 for type checkers and editors; at run time `uids` makes them of the table.

Written by scripts/make_uids.py, not by hand.
"""

from typing import Literal, TypeAlias

'''

# The keywords that `uids` itself assigns.
ASSIGNED = re.findall(r"(?m)^(\w+) = \"1\.2\.", MODULE.with_name("__init__.py").read_text(encoding="utf-8"))


def stub() -> str:
    """Return the text of the stub: a line for each keyword that `uids` does not assign itself, and the names of SOP classes."""
    rows = [row.split("|") for row in table().split("\n")]
    keywords = "".join(f"{row[2]}: str\n" for row in rows if row[2] and row[2] not in ASSIGNED)
    names = [line.split()[0] for line in TABLE.split("\n")] + [
        row[2] for row in rows if row[1] == "SOP Class" and row[2]
    ]
    lines = "".join(f'    "{name}",\n' for name in names)
    return f"{STUB_HEAD}{keywords}\nSOPClassName: TypeAlias = Literal[\n{lines}]\n"


def main() -> None:
    MODULE.write_text(f'{HEAD}TABLE_A_1 = """\\\n{table()}"""\n', encoding="utf-8")
    STUB.write_text(stub(), encoding="utf-8")


if __name__ == "__main__":
    main()

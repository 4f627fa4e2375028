"""Write a man page for each tool: `python scripts/make_man.py FOLDER`. The folder can be `share/man/man1` below any prefix."""

from __future__ import annotations

import sys
from pathlib import Path

from dimse.tools import TOOLS, manual
from scripts.parsers import parser_of


def pages() -> dict[str, str]:
    """Return the source of each man page by its file name."""
    parsers = ((tool, parser_of(tool)) for tool in TOOLS)
    tools = {manual.name(tool): manual.page(tool, parser, parser.examples) for tool, parser in parsers}
    return {f"{name}.1": source for name, source in {"dimse": manual.overview(), **tools}.items()}


def write(folder: Path) -> None:
    """Write the pages into a folder, which is made if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in pages().items():
        (folder / name).write_text(source, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

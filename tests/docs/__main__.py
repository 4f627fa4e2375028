"""Write into pages what the programs really print: `python -m tests.docs docs/start.md`. Output that agrees stays as it is.

With a second word, only the sessions whose names contain it run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.commands import Entry, block_of
from tests.docs.pages import PAGES, Block, sessions_of
from tests.docs.running import read


def main() -> None:
    """Amend one page."""
    page = Path(sys.argv[1]).resolve()
    amended: list[tuple[Block, str]] = []

    def amend(block: Block, found: list[Entry]) -> None:
        if (text := block_of(found)) != block.text:
            amended.append((block, text))

    for session in sessions_of(page, whole=page not in PAGES):
        if sys.argv[2:] and sys.argv[2] not in session.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            read(session, Path(folder), amend)
    lines = page.read_text().split("\n")
    for block, text in reversed(amended):
        fence = lines[block.line - 2]
        indent = fence[: len(fence) - len(fence.lstrip())]
        length = lines.index(indent + "```", block.line - 1) - (block.line - 1)
        lines[block.line - 1 : block.line - 1 + length] = [(indent + line).rstrip() for line in text.split("\n")]
        print(f"{block.where}: amended")
    page.write_text("\n".join(lines))


main()

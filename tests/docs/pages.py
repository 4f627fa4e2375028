"""The pages of the documentation as examples: their fenced blocks, in sessions that run from top to bottom.

A page of `docs/tutorials`, and `docs/start.md`, is one session. On `PAGES` each section (`##`) is a session of its own. A session
begins in an empty folder. What its text takes for granted stands in a comment, which readers do not see:

    <!-- given: study, pacs -->      things that the session takes for granted; `given.py` has them
    <!-- needs: dcmtk -->            the session is skipped where this is not installed
    <!-- terminal: receiver -->      the next block is in another terminal, where a program may run on
    <!-- ready: 11112 -->            its program is ready when it listens on this port
    <!-- imports: dimse -->          the next block goes on from one that has imported this
    <!-- python: pynetdicom -->      the next block runs in the Python that has this package
    <!-- first: dcmtk -->            on the path of the next block, the programs of DCMTK come first
    <!-- output -->                  the next block shows the output of the block of Python before it

Several are separated by `;`. A block with a title (```` ```python title="router.py" ````) is written to a file. Others run:

- `console` in bash, and the output is compared;
- `sh` in bash, one command after the other; tools that listen are ended as soon as they do;
- `python` as a script, which is ended if it is a server.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SESSIONS = [DOCS / "start.md", *sorted((DOCS / "tutorials").glob("*.md"))]
PAGES = [
    ROOT / "README.md",
    *(DOCS / f"{name}.md" for name in ("howto", "coming-from-dcmtk", "coming-from-pynetdicom")),
    *(DOCS / f"{name}.md" for name in ("sending", "receiving", "querying", "retrieving", "archive", "security")),
]

FENCE = re.compile(r"^( *)(`{3,})([\w-]*)(.*)$")
COMMENT = re.compile(r"^ *<!-- (.*) -->$")
TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its file.
        line: The number of its first line, behind the fence.
        language: The word behind the fence.
        title: The name of the file that it shows; empty if it runs.
        notes: The comment before it, by key.
        text: Its lines, without the indentation of the fence.
    """

    page: Path
    line: int
    language: str
    title: str
    notes: dict[str, str]
    text: str

    @property
    def where(self) -> str:
        """The page and the line, as compilers print them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def head(self) -> str:
        """The first line."""
        return self.text.partition("\n")[0]


@dataclass
class Session:
    """A series of blocks that run one after the other in one folder.

    Attributes:
        name: The page, and the section if it is not the whole page.
        blocks: The blocks.
        given: Names of what is there at the beginning.
        needs: Names of the programs without which it is skipped.
    """

    name: str
    blocks: list[Block] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name


def sessions() -> Iterator[Session]:
    """Yield the sessions of all pages that have any."""
    for page in SESSIONS:
        yield from sessions_of(page, whole=True)
    for page in PAGES:
        yield from sessions_of(page, whole=False)


def sessions_of(page: Path, *, whole: bool) -> Iterator[Session]:
    """Yield the sessions of a page: one, or one for each section."""
    session = Session(page.stem)
    for item in items(page):
        if isinstance(item, str):
            if not whole:
                if session.blocks:
                    yield session
                session = Session(f"{page.stem}: {item}")
        elif isinstance(item, dict):
            session.given += words(item.get("given", ""))
            session.needs += words(item.get("needs", ""))
        else:
            session.blocks.append(item)
    if session.blocks:
        yield session


def words(text: str) -> list[str]:
    """Return the words of a list with commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def items(page: Path) -> Iterator[str | dict[str, str] | Block]:
    """Yield the titles of sections, the comments that belong to no block, and the blocks of a page."""
    lines = page.read_text().split("\n")
    notes: dict[str, str] = {}
    number = 0
    while number < len(lines):
        line = lines[number]
        if opening := FENCE.match(line):
            indent, fence, language, rest = opening.groups()
            end = lines.index(indent + fence, number + 1)
            title = TITLE.search(rest)
            text = textwrap.dedent("\n".join(lines[number + 1 : end]))
            yield Block(page, number + 2, language, title[1] if title else "", notes, text)
            notes, number = {}, end
        elif comment := COMMENT.match(line):
            read = notes_of(comment[1])
            yield {key: read.pop(key) for key in ("given", "needs") if key in read}
            notes = notes | read
        elif line.startswith("## "):
            yield line.removeprefix("## ")
        elif line.strip():
            notes = {}
        number += 1


def notes_of(comment: str) -> dict[str, str]:
    """Return the notes of a comment by key; a note without a value has the value ""."""
    return {key.strip(): value.strip() for key, _, value in (note.partition(":") for note in comment.split(";"))}

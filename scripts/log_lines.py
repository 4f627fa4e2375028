"""The lines that the package can log, found in its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parent.parent / "src"
LEVELS = {
    "debug": "DEBUG",
    "info": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "critical": "ERROR",
    "exception": "ERROR",
}


class Line(NamedTuple):
    """A line of the log.

    Attributes:
        level: The level; USAGE for a line of a tool about its command line.
        text: The text, with an ellipsis for each value.
        logger: The module that logs it.
    """

    level: str
    text: str
    logger: str


@cache
def log_lines() -> tuple[Line, ...]:
    """Return the lines whose text stands in a call, by module. Lines that consist of a value alone are left out."""
    return tuple(
        Line(level, text, _module(path))
        for path in sorted((SOURCE / "dimse").rglob("*.py"))
        for level, text in _lines_of(ast.parse(path.read_text(encoding="utf-8")))
        if re.search(r"\w", text)
    )


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def _lines_of(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        name = (
            node.func.attr
            if isinstance(node.func, ast.Attribute)
            else node.func.id
            if isinstance(node.func, ast.Name)
            else ""
        )
        if name == "notice" and len(node.args) > 2:
            level = next((ast.unparse(each.value) for each in node.keywords if each.arg == "level"), "WARNING")
            yield level.rpartition(".")[2], text_of(node.args[2])
        elif name in LEVELS and isinstance(node.func, ast.Attribute) and node.args:
            is_usage = name == "error" and ast.unparse(node.func.value) in ("parser", "self")
            yield "USAGE" if is_usage else LEVELS[name], text_of(node.args[0])
        elif name == "warn" and node.args:
            yield "WARNING", text_of(node.args[0])


def text_of(node: ast.expr) -> str:
    """Return the text of an expression, with an ellipsis for each value; empty if it is not a text."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    else:
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return re.sub(r"%[-+0-9.,]*[sdrgfxX]", "…", text).replace("%%", "%").replace("`", "'")

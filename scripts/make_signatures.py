"""Write the fields of `Requestor` and `Acceptor` into the signatures and docstrings that list them.

Run it after a change of a field: `python scripts/make_signatures.py`. Each place in `PLACES` lists the first and the last of the
fields already; these two and all that stands between them are written anew.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent.parent / "src" / "dimse"
SETTINGS = PACKAGE / "settings" / "__init__.py"


class Place(NamedTuple):
    """A place that lists the fields of a class.

    Attributes:
        file: The module, relative to the package.
        of: The class whose fields it lists.
        begins: The text in the module behind which the list begins.
        form: The line of a field: `annotated` ("name: type"), `parameter` ("name: type = default,") or `documented`.
        without: The fields that are left out.
    """

    file: str
    of: str
    begins: str
    form: str
    without: tuple[str, ...] = ()


PLACES = (
    Place("services/__init__.py", "Requestor", "async def associate(", "parameter"),
    Place("services/__init__.py", "Requestor", "Connect to a peer and request an association", "documented"),
    Place("services/associating.py", "Requestor", "host: str,", "parameter"),
    Place("services/associating.py", "Requestor", "host: Remote,", "parameter"),
    Place("sending/options.py", "Requestor", "class AssociationOptions", "annotated", ("contexts",)),
    Place("serving/reception.py", "Acceptor", "class Reception", "documented"),
    Place("serving/reception.py", "Acceptor", "def __init__(\n        self,\n        address", "parameter"),
)

# A keyword of a function has a default where the field has none: the argument that gathers the keywords may bring it.
DEFAULTS = {"contexts": "()"}


class Field(NamedTuple):
    """A field of a class, as its source has it; `documentation` is its entry under Attributes, indentation removed."""

    name: str
    annotation: str
    default: str
    documentation: str


def fields_of(name: str) -> list[Field]:
    """Return the fields of a class of `dimse.settings`."""
    source = SETTINGS.read_text(encoding="utf-8")
    found = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    entries = documented(ast.get_docstring(found) or "")

    def text(node: ast.expr | None) -> str:
        return "" if node is None else ast.get_source_segment(source, node) or ""

    return [
        Field(node.target.id, text(node.annotation), text(node.value), entries[node.target.id])
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]


def documented(docstring: str) -> dict[str, str]:
    """Return the entries under Attributes by name."""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.split(r"\n(?=    \w)", section)
    return {entry.strip().partition(":")[0]: re.sub(r"(?m)^    ", "", entry) for entry in entries}


def written(source: str, place: Place) -> str:
    """Return the source of a module with the list of one place written anew."""
    fields = [field for field in fields_of(place.of) if field.name not in place.without]
    start = source.index(place.begins)
    first = re.compile(rf"(?m)^( +){fields[0].name}: ").search(source, start)
    assert first is not None, f"{place.file} lists no {fields[0].name}"
    # The last field, with the lines that go on behind it further to the right.
    indent = first[1]
    last = re.compile(rf"(?m)^{indent}{fields[-1].name}: .*\n(?:{indent} +.*\n)*").search(source, first.start())
    assert last is not None, f"{place.file} lists no {fields[-1].name}"
    lines = "".join(_line(field, place.form, indent) for field in fields)
    return source[: first.start()] + lines + source[last.end() :]


def _line(field: Field, form: str, indent: str) -> str:
    if form == "documented":
        return re.sub(r"(?m)^", indent, field.documentation) + "\n"
    if form == "annotated":
        return f"{indent}{field.name}: {field.annotation}\n"
    return f"{indent}{field.name}: {field.annotation} = {field.default or DEFAULTS[field.name]},\n"


def all_written() -> dict[Path, str]:
    """Return the source of each module that lists fields, as it has to be."""
    sources: dict[Path, str] = {}
    for place in PLACES:
        path = PACKAGE / place.file
        sources[path] = written(sources.get(path) or path.read_text(encoding="utf-8"), place)
    return sources


if __name__ == "__main__":
    for path, source in all_written().items():
        path.write_text(source, encoding="utf-8")

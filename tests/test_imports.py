"""The floor plan, enforced: the imports that are allowed, what the pure rooms may use, what a short command must not load."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# From the ground up. A room is a module of dimse, or a package with all that is in it. A module may import those of its
# own room and of the layers below; the rooms of one layer do not know each other.
LAYERS = (
    ("support", "version"),
    ("errors", "logs", "tags", "uids"),
    ("meanings",),
    ("audit", "journals", "settings"),
    ("data_set", "upper_layer"),
    ("matching", "media", "message"),
    ("instances", "transport"),
    ("association",),
    ("services",),
    ("archive",),
    ("serving",),
    ("sending",),
    ("retrieving",),
    ("aio", "blocking"),  # the faces
    ("testing",),
    ("dimse",),
    ("tools",),
    ("__main__",),
)

# Bytes to values and values to bytes: no socket, clock, thread, event loop or file. What they may import is named.
PURE = (
    "upper_layer",
    "message",
    "media",
    "data_set.encoding",
    "data_set.source",
    "data_set.steps",
    "data_set.walk",
    "data_set.survey",
    "data_set.group_two",
    "data_set.attributes",
    "data_set.decimals",
    "data_set.json",
    "data_set.keys",
    "data_set.reader",
    "data_set.text",
    "data_set.writer",
    "matching",
    "tags",
)
PURE_STANDARD_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "binascii",
        "bisect",
        "collections",
        "collections.abc",
        "contextlib",
        "difflib",
        "enum",
        "functools",
        "itertools",
        "json",
        "json.encoder",
        "math",
        "operator",
        "string",
        "struct",
        "types",
        "typing",
        "unicodedata",
        "zlib",
    }
)

# What only these may import when they are themselves imported (a lazy import inside a function is another matter).
AT_MODULE_LEVEL = {
    "pydicom": ("data_set.elements", "data_set.decompress"),
    "cryptography": ("tools.authority",),
    "numpy": (),
    "prometheus_client": (),
    "rich": (),
    "shtab": (),
    "asyncio": ("aio", "transport.looped"),
    "ssl": ("transport.tls", "transport.tls_faults"),
}

# What only these may import at all. To the association a transport is an interface: the faces choose the driver.
ONLY_BY = {
    "socket": (
        "audit",
        "transport",
        "serving",
        "tools.metrics",
        "tools.processes",
        "tools.qr_configuration",
        "tools.ready",
        "tools.workers",
    ),
    "ssl": ("audit", "settings.tls", "transport"),
    "select": ("transport", "tools.server_log"),
    "selectors": ("transport", "serving"),
    "dimse.transport": (
        "transport",
        "sending",
        "retrieving",
        "serving",
        "blocking",
        "aio",
        "testing",
        "association",
        "services.move_jobs",
    ),
    # The jobs of a C-MOVE are threads, whatever drives the association of its request.
    "dimse.transport.threaded": (
        *("transport", "sending", "retrieving", "serving", "blocking", "testing", "services.move_jobs"),
    ),
    "dimse.transport.looped": ("transport", "serving", "aio", "testing"),
}


@dataclass(frozen=True, slots=True)
class Import:
    """An import of one module by another, and when it is made.

    Attributes:
        importer: The full name of the module that imports.
        imported: The full name of the module, or of the package, that is imported.
        lazy: Inside a function.
        typing: For type checkers only.
        line: Where.
    """

    importer: str
    imported: str
    lazy: bool
    typing: bool
    line: int

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: {self.imported}"


class Imports(ast.NodeVisitor):
    """A visitor that collects the imports of one module."""

    def __init__(self, module: str, is_package: bool) -> None:
        self.module, self.package = module, module if is_package else module.rpartition(".")[0]
        self.found: list[Import] = []
        self.lazy = self.typing = False

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [self.one(alias.name, node) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        parents = self.package.split(".")[: len(self.package.split(".")) + 1 - node.level] if node.level else []
        source = ".".join([*parents, *filter(None, [node.module])])
        self.found += [
            self.one(f"{source}.{alias.name}" if f"{source}.{alias.name}" in MODULES else source, node)
            for alias in node.names
        ]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        before, self.lazy = self.lazy, True
        self.generic_visit(node)
        self.lazy = before

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_If(self, node: ast.If) -> None:
        before, self.typing = (
            self.typing,
            self.typing or ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"},
        )
        for statement in node.body:
            self.visit(statement)
        self.typing = before
        for statement in node.orelse:
            self.visit(statement)

    def one(self, imported: str, node: ast.stmt) -> Import:
        return Import(self.module, imported, self.lazy, self.typing, node.lineno)


def module_name(path: Path) -> str:
    """Return the full name of the module in the file at `path`."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in sorted((SOURCE / "dimse").rglob("*.py"))}


def imports_of(module: str) -> Iterator[Import]:
    """Yield what a module of ours imports, each module once a place."""
    path = MODULES[module]
    visitor = Imports(module, path.name == "__init__.py")
    visitor.visit(ast.parse(path.read_text(), filename=str(path)))
    yield from dict.fromkeys(visitor.found)


IMPORTS = [found for module in MODULES for found in imports_of(module)]
OURS = [found for found in IMPORTS if found.imported.partition(".")[0] == "dimse"]


def room(module: str) -> str:
    """Return the room of a module of ours; the package itself is the room "dimse"."""
    return module.split(".")[1] if "." in module else module


def within(module: str, name: str) -> bool:
    """Return True if a module is the one of this full name, or inside it."""
    return module == name or module.startswith(f"{name}.")


def one_of(module: str, places: tuple[str, ...]) -> bool:
    """Return True if a module of ours is in one of these places."""
    return any(within(module, f"dimse.{place}") if place != "dimse" else module == "dimse" for place in places)


def assert_none(forbidden: Iterable[Import]) -> None:
    """Fail with every one of these imports."""
    assert "\n".join(map(str, forbidden)) == ""


def test_every_module_has_its_place_in_the_layers() -> None:
    rooms = [name for layer in LAYERS for name in layer]
    assert {room(module) for module in MODULES} - set(rooms) == set()
    assert len(rooms) == len(set(rooms))


def test_imports_run_one_way() -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}

    def allowed(found: Import) -> bool:
        importer, imported = room(found.importer), room(found.imported)
        return importer == imported or level[imported] < level[importer]

    assert_none(found for found in OURS if not allowed(found))


def test_there_is_no_cycle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in OURS:
        if found.imported != found.importer:
            graph[found.importer].add(found.imported)
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules


def test_the_pure_rooms_import_nothing_that_does_anything() -> None:
    theirs = [found for found in IMPORTS if one_of(found.importer, PURE) and found not in OURS]
    assert_none(found for found in theirs if found.imported not in PURE_STANDARD_MODULES)


@pytest.mark.parametrize("module", AT_MODULE_LEVEL)
def test_a_heavy_module_is_imported_where_it_is_needed(module: str) -> None:
    theirs = [found for found in IMPORTS if within(found.imported, module) and not found.lazy and not found.typing]
    assert_none(found for found in theirs if not one_of(found.importer, AT_MODULE_LEVEL[module]))


@pytest.mark.parametrize("module", ONLY_BY)
def test_only_some_may_import(module: str) -> None:
    theirs = [found for found in IMPORTS if within(found.imported, module) and not found.typing]
    assert_none(found for found in theirs if not one_of(found.importer, ONLY_BY[module]))


def loaded_by(*arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run Python with these arguments; what became of it, and the top-level names of the modules that it loaded."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done, {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def test_importing_the_package_loads_nothing_heavy() -> None:
    done, loaded = loaded_by("-c", "import dimse; getattr(dimse, 'associate', None)")
    assert done.returncode == 0, done.stderr
    assert "dimse" in loaded
    assert loaded & set(AT_MODULE_LEVEL) == set()


@pytest.mark.skipif("dimse.tools.echoscu" not in MODULES, reason="there is no echoscu yet")
def test_echoscu_loads_nothing_heavy() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        done, loaded = loaded_by("-m", "dimse", "echoscu", "127.0.0.1", str(closed.getsockname()[1]))
    assert done.returncode == 1, done.stderr
    assert "unable to connect to remote" in done.stderr
    # `dataclasses` compiles source for every class and `inspect` loads half of Python's compiler: as long as a C-ECHO takes.
    assert loaded & {*AT_MODULE_LEVEL, "dataclasses", "inspect"} == set()
    # Nor does a C-ECHO wait for the modules of storage.
    assert not any(f" dimse.{name}\n" in done.stderr for name in ("services.storage", "instances", "data_set.walk"))

"""The messages in the source: the templates of lines at E: and W:, of usage errors, and of errors that such lines hold.

`python -m tests.tools.messages` prints each with its place and the code of its explanation.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dimse.tools.explanations import ENTRIES, explanation_of
from dimse.tools.explanations.entry import fit

HOLE = "{}"
SOURCE = Path(__file__).parents[2] / "src/dimse"

# Errors of a program that calls the library wrongly. No tool makes these errors, so no line has their text.
OF_PROGRAMS = frozenset(
    {
        "AttributeError",
        "FrozenInstanceError",
        "KeyError",
        "LocalProtocolError",
        "MalformedJSON",
        "NotImplementedError",
        "RuntimeError",
        "StopAsyncIteration",
        "TypeError",
    }
)
# Modules without a line in a log: helpers for tests of programs, generated tables, and the texts of the explanations.
LEFT_OUT = ("testing", "tags", "uids/table.py", "tools/explanations", "data_set/json.py")

# The position of the text among the arguments of an error, where it is not the first.
TEXT_AT = {
    "FileError": 1,
    "InaccessiblePath": 1,
    "IsDicomdir": 1,
    "NotDicom": 1,
    "InvalidResponse": 1,
    "TLSConfigurationError": 1,
    "UnfitKey": 1,
    "CommandFailed": 1,
    "AssociationTimeout": 1,
    "OperationTimeout": 1,
    "StatusError": 1,
    "OSError": 1,
    "BlockingIOError": 1,
    "FileNotFoundError": 1,
    "BrokenPipeError": 1,
    "TimeoutError": 1,
    "gaierror": 1,
    "SSLError": 1,
    "SSLEOFError": 1,
    "UnicodeEncodeError": 4,
}
BUILT_IN = frozenset({"ArgumentTypeError", "BadZipFile", "ValueError", "gaierror", "SSLError", "SSLEOFError", *TEXT_AT})
# Functions that take a text for a line or for an error, with the position of that text among the arguments.
HELPERS = {
    "_cut_short": 1,
    "_invalid": 1,
    "_misplaced": 0,
    "_not_allowed": 0,
    "_notice": 0,
    "_remote": 2,
    "_broken": 0,
    "_warn": 0,
    "say_failed": 0,
}
# Functions and tables in which each text is a line, a part of one, or the text of an error.
TEXTS_IN = {
    "archive/index/importing.py": ("_unfit", "MISLABELLED"),
    "association/inbox.py": ("_misplaced",),
    "data_set/keys.py": ("doubts",),
    "instances/__init__.py": ("_corrected", "_outline", "LEFT_OUT"),
    "sending/skipped.py": ("_lines",),
    "serving/admission.py": ("_why",),
    "serving/places.py": ("why_none",),
    "serving/visitor_reports.py": ("protocol_fault",),
    "settings/tls.py": ("_why_not_loaded",),
    "tools/commitment.py": ("_ask", "_give_up", "_judge", "_listen"),
    "tools/retrieving.py": ("_faults",),
    "tools/storescu.py": ("verify_together",),
    "tools/wording.py": ("explain_status", "explain_unusable"),
    "transport/base.py": ("timed_out",),
    "transport/tls_faults.py": ("REASONS", "VERIFICATION", "UNREAD", "WITHOUT_DATA", "of", "foreign"),
    "upper_layer/provider.py": ("_fault",),
}
# Parts of the texts of `TEXTS_IN`.
FRAGMENTS = (
    "SOP Class UID",
    "SOP Instance UID",
    "not DICOM",
    "the peer",
    "Bad DICOM file",
    "Cannot access path",
    ": does it speak TLS on this port?",
)
# Modules in which each list holds lines.
LISTS_OF_LINES = ("meanings.py", "tools/wording.py")
LEAST_LETTERS = 3
# The part of the fixed characters of a text that an explanation must have, unless it has the beginning.
LEAST_PART = 0.3
MOST_ALTERNATIVES = 40


@dataclass(frozen=True, order=True)
class Message:
    """A message in the source.

    Attributes:
        template: The text; `{}` stands for what is filled in.
        place: File and line.
        kind: "error" or "warning" for a line, "usage" for a usage error, "cause" for the text of an error.
    """

    template: str
    place: str
    kind: str


class Module:
    """A module of the package, as a syntax tree with the strings that names in it stand for."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path.relative_to(SOURCE))
        self.tree = ast.parse(path.read_text())
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self.functions = {
            node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        """The values of the names that are assigned at the top of the module."""
        return dict(_assigned(self.tree.body))

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the function that a node stands in."""
        while (up := self.parents.get(node)) is not None:
            node = up
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                return node
        return None

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the class that a node stands in."""
        while (up := self.parents.get(node)) is not None:
            node = up
            if isinstance(node, ast.ClassDef):
                return node
        return None


def _assigned(body: Sequence[ast.AST]) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name with a value that is assigned to it."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    for one, value in zip(target.elts, node.value.elts, strict=False):
                        if isinstance(one, ast.Name):
                            yield one.id, value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


class Texts:
    """The texts that an expression may have, as templates.

    Args:
        module: The module that the expression stands in.
        constants: The constants of all modules.
    """

    def __init__(self, module: Module, constants: dict[str, ast.expr]) -> None:
        self._module, self._constants = module, constants

    def of(self, node: ast.AST | None, depth: int = 0) -> list[str]:
        """Return the templates of an expression; a hole for what is not known."""
        if depth > 8 or node is None:
            return [HOLE]
        return list(dict.fromkeys(self._of(node, depth + 1)))[:MOST_ALTERNATIVES]

    def _of(self, node: ast.AST, depth: int) -> list[str]:
        found = [HOLE]
        match node:
            case ast.Constant(value=str(text)):
                found = [text]
            case ast.JoinedStr(values=parts):
                found = self._joined([self._part(part, depth) for part in parts])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                found = self._joined([self.of(left, depth), self.of(right, depth)])
            case ast.IfExp(body=body, orelse=other):
                found = self.of(body, depth) + self.of(other, depth)
            case ast.BoolOp(values=several) | ast.List(elts=several) | ast.Tuple(elts=several):
                found = [text for value in several for text in self.of(value, depth)]
            case ast.Starred(value=value) | ast.NamedExpr(value=value):
                found = self.of(value, depth)
            case ast.Name(id=name):
                found = self._named(node, name, depth)
            case ast.Attribute(attr=name) if name.isupper() and name in self._constants:
                found = self.of(self._constants[name], depth)
            case ast.Call():
                found = self._called(node, depth)
        return found

    def _part(self, part: ast.expr, depth: int) -> list[str]:
        return self.of(part.value if isinstance(part, ast.FormattedValue) else part, depth)

    @staticmethod
    def _joined(parts: list[list[str]]) -> list[str]:
        return ["".join(each) for each in itertools.islice(itertools.product(*parts), MOST_ALTERNATIVES)]

    def _named(self, node: ast.AST, name: str, depth: int) -> list[str]:
        function = self._module.function_of(node)
        if function is not None:
            values = [value for one, value in _assigned(list(ast.walk(function))) if one == name]
            if values:
                return [text for value in values for text in self.of(value, depth)]
            if name in {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}:
                return [HOLE]
        value = self._module.constants.get(name) or self._constants.get(name)
        return self.of(value, depth) if value is not None else [HOLE]

    def _called(self, node: ast.Call, depth: int) -> list[str]:
        match node.func:
            case ast.Name(id="one_line" | "str") | ast.Attribute(attr="one_line") if node.args:
                return self.of(node.args[0], depth)
            case ast.Attribute(attr="lower" | "format" | "rstrip" | "strip", value=value):
                return self.of(value, depth)
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in self._module.functions:
                returned = [
                    each.value for each in ast.walk(self._module.functions[name]) if isinstance(each, ast.Return)
                ]
                return [text for value in returned for text in self.of(value, depth)] or [HOLE]
        return [HOLE]

    def formatted(self, message: ast.expr, arguments: Sequence[ast.expr]) -> list[str]:
        """Return the templates of a log call: the message with its arguments in place of `%s`."""
        found: list[str] = []
        for text in self.of(message):
            parts = re.split(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgxX]", text)
            given: Sequence[ast.expr | None] = arguments
            if any(isinstance(argument, ast.Starred) for argument in arguments):
                given = []
            given = [*given, *[None] * (len(parts) - 1 - len(given))]
            filled = [[parts[0]]]
            for argument, rest in zip(given, parts[1:], strict=False):
                filled += [self.of(argument), [rest]]
            found += self._joined(filled)
        return found


class Sites(ast.NodeVisitor):
    """A visitor that collects the messages of one module.

    Args:
        module: The module.
        texts: The texts of its expressions.
        errors: The names of the exceptions whose text a line may have.

    Attributes:
        found: For each message its kind, its templates and its node.
    """

    def __init__(self, module: Module, texts: Texts, errors: frozenset[str]) -> None:
        self.found: list[tuple[str, list[str], ast.AST]] = []
        self._module, self._texts, self._errors = module, texts, errors

    def visit_List(self, node: ast.List) -> None:
        if self._module.name in LISTS_OF_LINES:
            self._add("error", self._texts.of(node), node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        found = self._log_call(name, owner) or self._line_call(name, owner, node) or self._error_call(name, node)
        if found is not None:
            kind, at, formats = found
            if len(node.args) > at:
                given = node.args[at + 1 :] if formats else ()
                self._add(kind, self._texts.formatted(node.args[at], given), node)
        self.generic_visit(node)

    def _add(self, kind: str, templates: list[str], node: ast.AST) -> None:
        self.found.append((kind, templates, node))

    @staticmethod
    def _log_call(name: str, owner: str) -> tuple[str, int, bool] | None:
        """Return the kind, the position of the text and whether arguments follow, for a call of a logger."""
        if name == "log" and "logger" in owner.lower():
            return "error", 1, True
        if (owner and name in ("warning", "critical", "exception")) or (name == "error" and not _is_parser(owner)):
            return "warning" if name == "warning" else "error", 0, True
        return None

    def _line_call(self, name: str, owner: str, node: ast.Call) -> tuple[str, int, bool] | None:
        """Return the same for a call that makes a line in another way."""
        found = None
        match name:
            case "notice" if owner != "self":
                found = "warning", 0 if owner == "publication" else 2, True
            case "warn" if "log_setup" in owner:
                found = "warning", 0, False
            case "log_failure":
                found = "error", 1, False
            case "_fail" if self._module.name == "tools/sender.py":
                found = "error", 0, False
            case "error" if _is_parser(owner):
                found = "usage", 0, False
            case "exit" if _is_parser(owner):
                found = "usage", 1, False
            case "write" | "print" if "stderr" in ast.unparse(node):
                found = "error", 0, False
            case _ if name in HELPERS:
                found = "cause", HELPERS[name], False
        return found

    def _error_call(self, name: str, node: ast.Call) -> tuple[str, int, bool] | None:
        """Return the same for a call that makes an error."""
        around = self._module.class_of(node)
        is_base = name == "__init__" and around is not None and around.name in self._errors
        if name not in self._errors and not is_base:
            return None
        at = TEXT_AT.get(name, 0)
        return "cause", 0 if len(node.args) == 1 else at, False

    def sweep(self, name: str) -> None:
        """Collect every text of a function or table of `TEXTS_IN`."""
        around: ast.AST = self._module.functions.get(name) or self._module.constants[name]
        whole = [node for node in ast.walk(around) if isinstance(node, ast.JoinedStr)]
        parts = {id(part) for node in whole for part in ast.walk(node)}
        whole_texts = [
            node
            for node in ast.walk(around)
            if isinstance(node, ast.Constant) and id(node) not in parts and " " in str(node.value)
        ]
        for node in (*whole, *whole_texts):
            if not self._is_aside(node):
                self._add("cause", [re.sub(r"{\w+}", HOLE, text) for text in self._texts.of(node)], node)

    def _is_aside(self, node: ast.AST) -> bool:
        """Return whether a text is a docstring, or a line of a lower level."""
        call = self._module.parents.get(node)
        name = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
        return isinstance(call, ast.Expr) or name in ("info", "debug")


def _is_parser(owner: str) -> bool:
    return owner in ("parser", "self.parser", "self")


def _error_classes(modules: Sequence[Module]) -> frozenset[str]:
    """Return the names of the package's exceptions, and of those built in whose text a line may have."""
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"Exception", *BUILT_IN}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found - OF_PROGRAMS)


def modules() -> list[Module]:
    """Return the modules of the package that may have messages."""
    return [
        Module(path) for path in sorted(SOURCE.rglob("*.py")) if not str(path.relative_to(SOURCE)).startswith(LEFT_OUT)
    ]


def messages() -> tuple[list[Message], list[str]]:
    """Return the messages of the package, and the places whose text is only what is filled in."""
    found: set[Message] = set()
    bare: set[str] = set()
    all_modules = modules()
    errors = _error_classes(all_modules)
    constants = {name: value for module in all_modules for name, value in module.constants.items() if name.isupper()}
    for module in all_modules:
        sites = Sites(module, Texts(module, constants), errors)
        sites.visit(module.tree)
        for name in TEXTS_IN.get(module.name, ()):
            sites.sweep(name)
        for kind, templates, node in sites.found:
            place = f"{module.name}:{getattr(node, 'lineno', 0)}"
            fixed = [template for text in templates if is_telling(template := " ".join(text.split()))]
            found.update(Message(template, place, kind) for template in fixed)
            if not fixed:
                bare.add(f"{place}: {ast.unparse(node)}")
    return sorted(found), sorted(bare)


def is_telling(template: str) -> bool:
    """Return whether a template has enough fixed letters to be recognised by, and is a whole text."""
    fixed = re.sub(r"\W", "", template.replace(HOLE, ""))
    return len(fixed) > LEAST_LETTERS and template not in FRAGMENTS


def is_about(template: str, text: str) -> bool:
    """Return whether a template is about a text, and does not fit it by accident."""
    score, begin = fit(template, text), template.partition("{")[0]
    return score > 0 and (
        score > len(text.replace(HOLE, "")) * LEAST_PART or (len(begin) > 7 and text.startswith(begin))
    )


def code_of(message: Message) -> str:
    """Return the code of the explanation of a message; empty if it has none."""
    entry = explanation_of(message.template)
    if entry is not None and any(is_about(template, message.template) for template in entry.templates):
        return entry.code
    # A text may be explained in the lines that it is a part of.
    return next(
        (
            entry.code
            for entry in ENTRIES.values()
            for template in entry.templates
            if fit(message.template, template) > LEAST_LETTERS
        ),
        "",
    )


if __name__ == "__main__":
    for message in messages()[0]:
        print(f"{code_of(message) or '-':5} {message.kind:8} {message.place:40} {message.template}")

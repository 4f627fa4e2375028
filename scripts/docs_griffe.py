"""An extension of griffe, from which mkdocstrings takes names and signatures: it adds those that exist at run time only.

The blocking face makes its functions from those of the services. The classes of `dimse.support.values` have a constructor from
their fields. Griffe reads the source, where it sees neither.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import griffe

import dimse.blocking
from dimse.support.values import MISSING, Record, fields


class Runtime(griffe.Extension):
    """An extension that completes the objects of `dimse` from the imported package."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Complete each class and module of a package that is loaded."""
        if pkg.name == "dimse":
            for module in _modules(pkg):
                _complete(pkg, module, import_module(module.path))
                _separate_names(module)
            for name in dimse.blocking.__all__:
                if name not in pkg.members:
                    pkg.set_member(name, griffe.Alias(name, f"dimse.blocking.{name}", parent=pkg))


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    yield module
    for member in module.modules.values():
        # A stub alone, such as `dimse.uids.keywords`, cannot be imported.
        if not member.is_alias and member.name != "__main__" and find_spec(member.path):
            yield from _modules(member)


def _complete(package: griffe.Module, scope: griffe.Module | griffe.Class, value: object) -> None:
    """Complete the members of a module or class, and add the constructor of a record."""
    for name, member in list(scope.members.items()):
        if member.is_alias or name.startswith("_"):
            continue
        found = inspect.getattr_static(value, name, None)
        if isinstance(member, griffe.Class) and isinstance(found, type):
            _complete(package, member, found)
            _add_inherited_arguments(member, found)
            if found.__module__ == dimse.blocking.__name__:
                # Functions make them, never the user.
                member.members.pop("__init__", None)
        elif isinstance(member, griffe.Attribute) and _is_function(made := getattr(value, name, _NOTHING)):
            scope.set_member(name, _function(package, scope, name, made))
    if isinstance(scope, griffe.Class) and isinstance(value, type) and issubclass(value, Record) and value._fields:
        scope.set_member("__init__", _constructor(package, scope, value))


def _add_inherited_arguments(member: griffe.Class, kind: type) -> None:
    """Describe the arguments of a class that inherits its constructor, in place of the sentence that refers to the base."""
    own = inspect.cleandoc(vars(kind).get("__doc__") or "")
    base = next(each for each in kind.__mro__ if "__init__" in vars(each))
    sections = inspect.cleandoc(base.__doc__ or "").partition("\nArgs:\n")[2]
    if own and sections and base is not kind and "Args:\n" not in own and member.docstring is not None:
        own = re.sub(rf" ?[^.`]*`(?:\w+\.)*{base.__name__}`[^.]*\.", "", own)
        member.docstring.value = f"{own}\n\nArgs:\n{sections}"


# Stands for a name that exists in the source only.
_NOTHING: Any = None


def _is_function(made: object) -> bool:
    """Return True for a function that the source assigns to a name, instead of defining it there."""
    return inspect.isfunction(made) or (hasattr(made, "__wrapped__") and not isinstance(made, type))


ENTRY_OF_SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+): (.*(?:\n\1 +.*)*)", re.MULTILINE)


def _separate_names(scope: griffe.Module | griffe.Class) -> None:
    """Give each name of an entry such as `host, port: The peer.` an entry of its own, in the docstrings of a module."""
    for member in (scope, *scope.members.values()):
        if member.is_alias or member.docstring is None:
            continue
        member.docstring.value = ENTRY_OF_SEVERAL.sub(
            lambda found: "\n".join(f"{found[1]}{name}: {found[3]}" for name in found[2].split(", ")),
            member.docstring.value,
        )
    for member in scope.members.values():
        if isinstance(member, griffe.Class) and not member.is_alias:
            _separate_names(member)


def _function(package: griffe.Module, scope: griffe.Object, name: str, made: Callable[..., Any]) -> griffe.Function:
    """Return a function as `inspect` sees it."""
    plain = inspect.unwrap(made)
    while hasattr(plain, "func"):
        plain = plain.func
    home = package[plain.__module__.partition(".")[2]]
    signature = inspect.signature(made)
    parameters = [
        griffe.Parameter(
            each.name,
            annotation=_expression(each.annotation, home),
            kind=_kind(each),
            default=_default(each.default, each.empty),
        )
        for each in signature.parameters.values()
    ]
    if isinstance(scope, griffe.Class):
        parameters[0] = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    function = griffe.Function(
        name,
        parameters=griffe.Parameters(*parameters),
        returns=_expression(signature.return_annotation, home),
        parent=scope,
    )
    if inspect.iscoroutinefunction(made):
        function.labels.add("async")
    function.docstring = griffe.Docstring(inspect.getdoc(made) or "", parent=function, parser=griffe.Parser.google)
    return function


def _constructor(package: griffe.Module, scope: griffe.Class, kind: type[Record]) -> griffe.Function:
    """Return the constructor of a record."""
    parameters = [griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)]
    for name, field in fields(kind).items():
        home = next(each for each in kind.__mro__ if name in vars(each).get("__annotations__", {}))
        default = "()" if field.default_factory is not None else _default(field.default, MISSING)
        kinds = griffe.ParameterKind
        parameters.append(
            griffe.Parameter(
                name,
                annotation=_expression(home.__annotations__[name], package[home.__module__.partition(".")[2]]),
                kind=kinds.keyword_only if field.kw_only else kinds.positional_or_keyword,
                default=default,
            )
        )
    return griffe.Function("__init__", parameters=griffe.Parameters(*parameters), parent=scope)


def _kind(parameter: inspect.Parameter) -> griffe.ParameterKind:
    return griffe.ParameterKind(parameter.kind.description)


def _expression(annotation: object, home: griffe.Object) -> griffe.Expr | str | None:
    """Return an annotation so that its names lead to what they have in the module that has written it."""
    if annotation is inspect.Parameter.empty:
        return None
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return griffe.get_expression(ast.parse(text, mode="eval").body, parent=home)  # type: ignore[arg-type]


def _default(value: object, missing: object) -> str | None:
    """Return a default as one would write it."""
    if value is missing:
        return None
    if isinstance(value, Record):
        return f"{type(value).__name__}()"
    return getattr(value, "__name__", None) or repr(value)

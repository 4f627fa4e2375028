"""Functions whose keywords are the fields of a settings record, which may be given as one argument too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dimse.settings import arguments
from dimse.support.values import fields, replace

if TYPE_CHECKING:
    from inspect import Parameter, Signature

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def gathering(name: str, kind: type) -> Callable[[F], F]:
    """Make a decorator that gathers the keywords of a function which are fields of `kind` in its argument `name`.

    The signature of the function lists these fields with types and defaults, for editors, type checkers and `help`.
    `scripts/make_signatures.py` writes it. A caller may pass `name` as well: keywords that are passed beside it win.

    Args:
        name: The argument that the function itself reads: always an instance of `kind`.
        kind: A class of values.
    """

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            gathered: object = gather(name, kind, keywords)
            return function(*args, **keywords, **{name: gathered})

        return cast(F, call)

    return decorate


def taking_remote(function: F) -> F:
    """Let a function that takes a way to connect, a host and a port take a `Remote` in place of the last two."""

    @wraps(function)
    def call(open_transport: object, host: object = None, port: object = None, **options: Any) -> Any:
        if not isinstance(host, str):
            from dimse.settings.remote import address_and_options

            (host, port), options = address_and_options("associate", host, port, options)
        return function(open_transport, host, port, **options)

    return cast(F, call)


def gather(name: str, kind: type[T], keywords: dict[str, Any]) -> T:
    """Take `name` and the fields of `kind` out of `keywords`, and return the instance of `kind` that they make.

    Raises:
        TypeError, ValueError: A field is wrong or missing.
    """
    chosen = {field: keywords.pop(field) for field in fields(kind) if field in keywords}
    given = keywords.pop(name, None)
    if given is None:
        if name == "requestor" and "contexts" not in chosen:
            raise TypeError("contexts are missing: contexts=[dimse.Verification], or requestor=dimse.Requestor(...)")
        return kind(**chosen)
    arguments.instance_of(name, given, kind, f"{name}=dimse.{kind.__name__}(...)")
    return replace(cast(T, given), **chosen)


class InFull:
    """The signature of a class whose constructor passes keywords on: it lists each of them in place of `**options`.

    Args:
        parameters: Returns the parameters that the keywords are for. Those that the constructor names itself are left out.
    """

    def __init__(self, parameters: Callable[[], Iterable[Parameter]]) -> None:
        self._parameters = parameters

    def __get__(self, instance: object, owner: type) -> Signature:
        # Loaded only here: it takes as long as a C-ECHO.
        from inspect import Parameter, signature

        own = signature(owner.__init__)  # type: ignore[misc]
        named = [one for one in list(own.parameters.values())[1:] if one.kind is not Parameter.VAR_KEYWORD]
        taken = {one.name for one in named}
        passed = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in self._parameters() if one.name not in taken]
        return own.replace(parameters=[*named, *passed], return_annotation=own.empty)

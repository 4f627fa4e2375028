"""Signatures for `inspect` and `help`, made when they are asked for: `inspect` takes as long to load as a C-ECHO takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspect import Parameter, Signature


class InFull:
    """The signature of a class whose constructor passes keywords on: it lists each of them in place of `**options`.

    Args:
        parameters: Returns the parameters that the keywords are for. Those that the constructor names itself are left out.
    """

    def __init__(self, parameters: Callable[[], Iterable[Parameter]]) -> None:
        self._parameters = parameters

    def __get__(self, instance: object, owner: type) -> Signature:
        from inspect import Parameter, signature

        own = signature(owner.__init__)  # type: ignore[misc]
        named = [one for one in list(own.parameters.values())[1:] if one.kind is not Parameter.VAR_KEYWORD]
        taken = {one.name for one in named}
        passed = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in self._parameters() if one.name not in taken]
        return own.replace(parameters=[*named, *passed], return_annotation=own.empty)

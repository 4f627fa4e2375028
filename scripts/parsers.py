"""The parsers of the tools, for the scripts that describe their options."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn
from unittest import mock

from dimse.tools.command_line import Parser


class _Found(Exception):
    """A parser that is complete, raised when it is asked to read a command line."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(tool: str) -> Parser:
    """Return the parser with which a tool reads its command line."""

    def found(parser: Parser, arguments: Sequence[str] | None) -> NoReturn:
        raise _Found(parser)

    with mock.patch.object(Parser, "read", found):
        try:
            import_module(f"dimse.tools.{tool}").main([])
        except _Found as made:
            return made.parser
    raise AssertionError(f"{tool} reads no command line")

"""The command line of a tool: argparse, with options anywhere, arguments from a file, and completion in a shell."""

from __future__ import annotations

import argparse
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NoReturn

import dimse
from dimse.support.text import one_line

# The kind of file that a shell offers for a value, by the placeholder of the value.
COMPLETED_AS = {"F": "file", "D": "directory", "path": "file"}
# The attribute of an argparse action that marks an option for the short help.
COMMON = "common"


class Parser(argparse.ArgumentParser):
    """A parser of the command line of a tool. Options may stand between positional arguments; `@FILE` reads arguments from a file.

    `@FILE` is expanded only in front of the first positional argument, and not within the file. Among paths, a name that begins
    with `@` is a path.

    Args:
        tool: The name of the tool.
        purpose: The purpose of the tool, in one sentence.
        examples: Commands, each with its effect.
        positionals: The positional arguments as usage shows them. argparse would list all options there too, before each error.
        prefixes: The characters that options begin with.
        program: The words by which a user calls the tool; by default its name, which is a command of its own.

    Attributes:
        tool: The name of the tool.
        before_parsing: Called with the arguments, `@FILE` expanded, before they are parsed; None for no call.
    """

    def __init__(
        self,
        tool: str,
        purpose: str,
        examples: Sequence[tuple[str, str]],
        *,
        positionals: str = "...",
        prefixes: str = "-",
        program: str = "",
    ) -> None:
        width = max(len(command) for command, _ in examples)
        columns = _width()
        super().__init__(
            prog=program or tool,
            usage=f"%(prog)s [options] {positionals}",
            description=purpose,
            epilog="examples:\n"
            + "\n".join(f"  {command:{width}}  {does}" for command, does in examples)
            + "\n\n@FILE in front of the first argument that is not an option reads arguments from FILE, one a line.",
            formatter_class=partial(argparse.RawDescriptionHelpFormatter, width=columns),
            prefix_chars=prefixes,
            allow_abbrev=False,
            add_help=False,
        )
        self.tool, self.examples, self.columns = tool, examples, columns
        self.before_parsing: Callable[[list[str]], None] | None = None
        self.add_argument(
            "-h",
            action=_PrintShortHelp,
            dest="help",
            nargs=0,
            default=argparse.SUPPRESS,
            help="show the most common options, and exit",
        )
        self.add_argument("--help", action="help", default=argparse.SUPPRESS, help="show all options, and exit")
        self.add_argument("--version", action="version", version=f"{tool}.py v{dimse.__version__}")
        self.add_argument(
            "--print-completion",
            choices=("bash", "zsh", "tcsh"),
            action=_PrintCompletion,
            default=argparse.SUPPRESS,
            help="print a script that completes this command's line in a shell, and exit",
        )
        self.add_argument(
            "--man",
            action=_ShowManual,
            nargs=0,
            default=argparse.SUPPRESS,
            help="show the man page; in a pipe, print its source",
        )

    def read(self, arguments: Sequence[str] | None) -> argparse.Namespace:
        """Return the parsed arguments; a usage error is a line on stderr and exit status 2, as in argparse."""
        given = sys.argv[1:] if arguments is None else list(arguments)
        try:
            expanded = self._expanded(given)
            if self.before_parsing is not None:
                self.before_parsing(expanded)
            return self.parse_intermixed_args(expanded)
        except _OutputAsked as asked:
            asked.write(self)
            self.exit()

    def actions(self) -> list[argparse.Action]:
        """Return what the parser knows: its options and positional arguments."""
        return list(self._actions)

    def remove_arguments(self, *names: str) -> None:
        """Remove positional arguments."""
        for action in self.actions():
            if not action.option_strings and action.dest in names:
                self._positionals._remove_action(action)

    def _expanded(self, given: Sequence[str]) -> list[str]:
        """Return the arguments with `@FILE` replaced by the lines of the file.

        Raises:
            SystemExit: A file cannot be read, or an option is not known.
        """
        left = deque((argument, True) for argument in given)
        arguments: list[str] = []
        while left:
            argument, may_expand = left.popleft()
            if argument == "--":
                return [*arguments, argument, *(rest for rest, _ in left)]
            if self._is_option(argument):
                arguments.append(argument)
                action = self._option_string_actions.get(argument)
                if action is not None and action.nargs is None and left:
                    arguments.append(left.popleft()[0])
            elif argument.startswith("@") and may_expand:
                left.extendleft((line, False) for line in reversed(self._lines(argument[1:])))
            else:
                rest = [argument, *(each for each, _ in left)]
                self._refuse_unknown(rest)
                return [*arguments, *rest]
        return arguments

    def _lines(self, path: str) -> list[str]:
        from dimse.support import content

        try:
            text = content.decode(content.read(path), sys.getfilesystemencoding(), "surrogateescape")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self.error(f"cannot read arguments from {one_line(path)}: {why}")
        # CRLF was read as LF. Editors on Windows may also put a byte order mark before the text.
        lines = text.removeprefix("\ufeff").split("\n")
        # Each line ends with a line feed, but perhaps the last one.
        return lines if lines[-1] else lines[:-1]

    def _is_option(self, argument: str) -> bool:
        """Return whether an argument is an option.

        Raises:
            SystemExit: It looks like an option and is not known.
        """
        if len(argument) < 2 or argument[0] not in self.prefix_chars:
            return False
        known = self._option_string_actions
        if argument in known or argument.partition("=")[0] in known:
            return True
        # `-vq`, and values that are attached: `-to5`.
        if argument[1] not in self.prefix_chars and argument[:2] in known:
            return True
        if not (" " in argument or self._negative_number_matcher.match(argument)):
            self._refuse(argument)
        return False

    def _refuse(self, option: str) -> NoReturn:
        """Exit with an error about an unknown option, which names a known one that is similar."""
        from difflib import get_close_matches

        near = get_close_matches(option.partition("=")[0], self._option_string_actions, 1)
        self.error(f"unknown option {option!r}: " + (f"did you mean {near[0]}?" if near else "see --help"))

    def _refuse_unknown(self, arguments: Sequence[str]) -> None:
        """Exit for an unknown option behind the first positional argument, for which argparse has a misleading error."""
        left: Iterator[str] = iter(arguments)
        for argument in left:
            if argument == "--":
                return
            if self._is_option(argument):
                action = self._option_string_actions.get(argument)
                if action is not None and action.nargs is None:
                    next(left, None)

    def _completion(self, shell: str) -> str:
        """Return a script for a shell that completes options, choices and files."""
        import shtab

        for action in self._actions:
            if (what := COMPLETED_AS.get(str(action.metavar or action.dest))) is not None:
                # shtab looks for it there.
                vars(action)["complete"] = what
        script: str = shtab.complete(self._command(), shell)
        # In its script for bash, shtab knows only options that begin with "-".
        return script.replace('"$completing_word" == -*', f'"$completing_word" == [{self.prefix_chars}]*')

    def _command(self) -> argparse.ArgumentParser:
        """Return the parser of the command that a shell completes: this one, or one of which this tool is a subcommand."""
        command, *tool = self.prog.split()
        if not tool:
            return self
        whole = argparse.ArgumentParser(command)
        whole.add_subparsers().add_parser(
            self.tool, parents=[self], prefix_chars=self.prefix_chars, add_help=False, help=self.description
        )
        return whole


def _width() -> int:
    """Return the columns that help may have: those of the terminal, less two.

    argparse finds them out for every option, and loads `shutil` for it: 2 ms of a start.
    """
    columns = os.environ.get("COLUMNS", "")
    try:
        width = int(columns) if columns.isdecimal() else os.get_terminal_size().columns
    except OSError:
        # There is no terminal.
        width = 0
    return (width or 80) - 2


class _OutputAsked(Exception):
    """A request for output instead of work, raised to leave the parser, which changes its own arguments while it works."""

    def __init__(self, write: Callable[[Parser], None]) -> None:
        super().__init__()
        self.write = write


class _PrintCompletion(argparse.Action):
    def __call__(self, parser: object, namespace: object, values: object, option_string: str | None = None) -> NoReturn:
        raise _OutputAsked(lambda asked: print(asked._completion(str(values))))


class _ShowManual(argparse.Action):
    def __call__(self, parser: object, namespace: object, values: object, option_string: str | None = None) -> NoReturn:
        raise _OutputAsked(_show_manual)


def _show_manual(parser: Parser) -> None:
    from dimse.tools import manual

    manual.show(parser.tool, parser, parser.examples)


class _PrintShortHelp(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: object, values: object, option_string: str | None = None
    ) -> NoReturn:
        from dimse.tools.short_help import short_help

        assert isinstance(parser, Parser)
        shown = [action for action in parser._actions if not action.option_strings or vars(action).get(COMMON)]
        print(short_help(parser, shown, parser.examples, parser.columns))
        parser.exit()

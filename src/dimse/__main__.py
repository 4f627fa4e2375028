"""`python -m dimse TOOL ...`, and the `dimse` command."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING

from dimse.tools import TOOLS
from dimse.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

_INTERRUPTED = 130
_UNWRITTEN = 120  # where Python itself cannot write all of its output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a tool by its name; without one, list them. Returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print("usage: dimse TOOL [options] ...\n\nDICOM networking. The tools:\n")
        for tool, purpose in TOOLS.items():
            print(f"  {tool:10} {purpose}")
        print("\n`dimse TOOL --help` explains each.")
        return 0
    if given[0] == "--version":
        print(f"dimse v{__version__}")
        return 0
    tool, *rest = given
    if tool not in TOOLS:
        print(f"dimse: there is no tool {tool!r}; there are {', '.join(TOOLS)}", file=sys.stderr)
        return 2
    return run(tool, rest)


def run(tool: str, arguments: Sequence[str] | None = None) -> int:
    """Run a tool; returns its exit status, which Ctrl-C is too while the tool is still loading."""
    try:
        from importlib import import_module

        status: int = import_module(f"dimse.tools.{tool}").main(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status


def _load_later(name: str) -> None:
    """Have a module loaded when something in it is looked for, not when it is imported."""
    from importlib import import_module
    from types import ModuleType

    class Later(ModuleType):
        def __getattr__(self, wanted: str) -> object:
            if sys.modules.get(name) is self:
                sys.modules.pop(name, None)
            module = import_module(name)
            vars(self).update(vars(module))
            return getattr(module, wanted)

    sys.modules.setdefault(name, Later(name))


def _open_standard_streams() -> None:
    """Open the null device where a supervisor has closed standard input, output or error.

    A socket or a file would get the free descriptor otherwise, and what is printed would go into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free descriptor is this one: those below it are open by now.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115


def command(work: Callable[[], int]) -> NoReturn:
    """Be a process that does this and nothing else.

    It ends with all that is to be done at its end, but without taking every object apart: a C-ECHO is faster. Nor is garbage
    looked for while modules are loaded, since there is none: see `common.loaded`.

    Args:
        work: Returns the exit status, or raises `SystemExit` with it.
    """
    gc.disable()
    _open_standard_streams()
    _load_later("traceback")  # `logging` imports it, and it Python's own tokenizer
    status = _INTERRUPTED
    try:
        try:
            status = work()
        except SystemExit as ended:  # argparse's, after help or over wrong usage; a table's that cannot be printed
            status = int(ended.code or 0)
            if isinstance(ended.__cause__, OSError):
                _complain(ended.__cause__)
        from signal import SIG_IGN, SIGINT, signal

        signal(SIGINT, SIG_IGN)  # Ctrl-C comes too late: all is done and told
    except KeyboardInterrupt:
        pass
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None stands for one that was closed before
        try:
            stream.flush()
        except BrokenPipeError:
            continue  # nobody reads it any more
        except OSError as error:
            status = status or _UNWRITTEN
            if stream is sys.stdout:
                _complain(error)
    os._exit(status)


def _complain(error: OSError) -> None:
    """Say on stderr that the output is lost."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"E: the output cannot be written: {error.strerror or error}\n")
    except OSError:
        pass  # it is full too, or gone


def dimse() -> NoReturn:
    """The `dimse` command."""
    command(main)


def echoscu() -> NoReturn:
    """The `echoscu` command."""
    command(lambda: run("echoscu"))


def storescu() -> NoReturn:
    """The `storescu` command."""
    command(lambda: run("storescu"))


def echoscp() -> NoReturn:
    """The `echoscp` command."""
    command(lambda: run("echoscp"))


def storescp() -> NoReturn:
    """The `storescp` command."""
    command(lambda: run("storescp"))


if __name__ == "__main__":
    dimse()

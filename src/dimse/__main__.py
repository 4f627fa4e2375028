"""`python -m dimse TOOL ...`, and the `dimse` command."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from dimse.tools import TOOLS
from dimse.version import __version__

# Not from `typing`: modules that are loaded before `command` disables garbage collection take longer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

_INTERRUPTED = 130
_EXPLAINED = (1, 3)  # no association, a shortfall
_UNWRITTEN = 120  # as Python's for lost output


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a tool by its name, or list the tools without one. Return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--man"]:
        from dimse.tools import manual

        if manual.display(manual.overview()):
            return 0
        given = []
    if not given or given[0] in ("-h", "--help"):
        print("usage: dimse TOOL [options] ...\n\nDICOM networking. The tools, each with a command to begin with:\n")
        for tool, (purpose, common) in TOOLS.items():
            print(f"  {tool:12} {purpose}\n      dimse {tool} {common}")
        print("\n`dimse TOOL -h` shows the common options, `dimse TOOL --help` all of them.")
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
    """Run a tool and return its exit status, also for Ctrl-C while the tool is loading."""
    try:
        from importlib import import_module

        status: int = import_module(f"dimse.tools.{tool}").main(arguments)
        if status in _EXPLAINED:
            import_module("dimse.tools.log_setup").log_codes()
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status


def _load_later(name: str) -> None:
    """Defer loading a module until one of its names is used."""
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
    """Open the null device for each of standard input, output and error that is closed.

    Otherwise a socket or a file would get the free descriptor, and output would be written into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # All lower descriptors are open by now, so this one is the lowest free descriptor.
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115


def command(work: Callable[[], int]) -> NoReturn:
    """Run a program as the whole purpose of this process.

    The process ends after its exit functions, without destroying every object, which makes a C-ECHO faster. Garbage collection is
    off while modules are loaded, since there is no garbage: see `common.loaded`.

    Args:
        work: A function that returns the exit status, or raises `SystemExit` with it.
    """
    gc.disable()
    _open_standard_streams()
    # `logging` imports it, and it imports Python's tokenizer.
    _load_later("traceback")
    status = _INTERRUPTED
    try:
        try:
            status = work()
        # argparse raises it after help or wrong usage, and a table that cannot be printed.
        except SystemExit as ended:
            status = int(ended.code or 0)
            if isinstance(ended.__cause__, OSError):
                _complain(ended.__cause__)
        from signal import SIG_IGN, SIGINT, signal

        # Everything is done and reported, so Ctrl-C comes too late.
        signal(SIGINT, SIG_IGN)
    except KeyboardInterrupt:
        pass
    atexit._run_exitfuncs()
    # None stands for a stream that was closed before.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            continue  # its reader is gone
        except OSError as error:
            status = status or _UNWRITTEN
            if stream is sys.stdout:
                _complain(error)
    os._exit(status)


def _complain(error: OSError) -> None:
    """Report on stderr that output is lost."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"E: the output cannot be written: {error.strerror or error}\n")
    except OSError:
        pass  # stderr is full or gone


def dimse() -> NoReturn:
    """Run the `dimse` command."""
    command(main)


def echoscu() -> NoReturn:
    """Run the `echoscu` command."""
    command(lambda: run("echoscu"))


def storescu() -> NoReturn:
    """Run the `storescu` command."""
    command(lambda: run("storescu"))


def findscu() -> NoReturn:
    """Run the `findscu` command."""
    command(lambda: run("findscu"))


def getscu() -> NoReturn:
    """Run the `getscu` command."""
    command(lambda: run("getscu"))


def movescu() -> NoReturn:
    """Run the `movescu` command."""
    command(lambda: run("movescu"))


def echoscp() -> NoReturn:
    """Run the `echoscp` command."""
    command(lambda: run("echoscp"))


def storescp() -> NoReturn:
    """Run the `storescp` command."""
    command(lambda: run("storescp"))


def qrscp() -> NoReturn:
    """Run the `qrscp` command."""
    command(lambda: run("qrscp"))


if __name__ == "__main__":
    dimse()

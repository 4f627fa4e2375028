"""`python -m dimse TOOL ...`, and the `dimse` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from dimse.tools import TOOLS
from dimse.version import __version__


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
    status: int = import_module(f"dimse.tools.{tool}").main(rest)
    return status


if __name__ == "__main__":
    sys.exit(main())

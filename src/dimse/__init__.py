"""DICOM networking: the blocking face.

    with dimse.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
        association.echo()

`dimse.aio` has the same names for asyncio.
"""

from __future__ import annotations

from dimse.version import __version__ as __version__

# To type checkers it is the one of `typing`, which a tool loads after `__main__.command` has begun.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from dimse.blocking import *  # noqa: F403
    from dimse.blocking import __all__ as __all__

# What `dimse.blocking` has in small letters: any other such name is a room of this package.
_SMALL = ("__all__", "associate", "contexts_for", "send")


def __getattr__(name: str) -> object:
    """The names of `dimse.blocking` and the rooms of this package, loaded when they are first asked for.

    So a tool reads its command line, and helps who needs help, before the network is loaded.
    """
    from importlib import import_module

    if name in _SMALL or not name.islower():
        found = globals()[name] = getattr(import_module("dimse.blocking"), name)
        return found
    if not name.startswith("_"):
        try:
            return import_module(f"dimse.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"dimse.{name}":
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from dimse.blocking import __all__

    return sorted({*globals(), *__all__})

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
    from dimse import aio as aio
    from dimse import archive as archive
    from dimse import errors as errors
    from dimse import sending as sending
    from dimse import testing as testing
    from dimse import uids as uids
    from dimse.blocking import *  # noqa: F403
    from dimse.blocking import __all__ as __all__

PUBLIC_MODULES = ("aio", "archive", "errors", "sending", "testing", "uids")

# The names of `dimse.blocking` in small letters: any other such name is a module of this package.
_SMALL = ("__all__", "associate", "contexts_for", "send")


def __getattr__(name: str) -> object:
    """Return a name of `dimse.blocking` or a module of this package, loaded when it is first asked for.

    So a tool reads its command line, and prints its help, before the network is loaded.
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
    """Return the public names: those of `dimse.blocking`, and the public modules."""
    from dimse.blocking import __all__

    return sorted({*__all__, *PUBLIC_MODULES, *(name for name in globals() if name.startswith("__"))})

"""DICOM networking: the blocking face.

    with dimse.associate("127.0.0.1", 11112, contexts=[dimse.Verification]) as association:
        association.echo()

`dimse.aio` has the same names for asyncio.
"""

from __future__ import annotations

from dimse.version import __version__ as __version__

# Type checkers treat this as `typing.TYPE_CHECKING`. A tool loads `typing` only after `__main__.command` has begun.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from dimse import aio as aio
    from dimse import archive as archive
    from dimse import errors as errors
    from dimse import retrieving as retrieving
    from dimse import sending as sending
    from dimse import testing as testing
    from dimse import uids as uids
    from dimse.blocking import *  # noqa: F403
    from dimse.blocking import __all__ as __all__

PUBLIC_MODULES = ("aio", "archive", "errors", "retrieving", "sending", "testing", "uids")

# The lower-case names of `dimse.blocking`. Any other lower-case name is a submodule of this package.
_SMALL = ("__all__", "associate", "contexts_for", "contexts_for_get", "retrieve", "send")


def __getattr__(name: str) -> object:
    """Return a name of `dimse.blocking` or a submodule of this package, loaded on first use.

    So a tool can read its command line and print its help before it loads the network code.
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

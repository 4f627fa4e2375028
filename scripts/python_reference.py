"""The pages of the reference about the Python API: the names that each page shows. mkdocstrings fills them in."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

import dimse
from dimse import errors


class Page(NamedTuple):
    """A page of the reference.

    Attributes:
        title: The title.
        about: The contents, in a few words.
        names: The names in their order. A module stands for its public names.
    """

    title: str
    about: str
    names: Sequence[str]


# By file name. Public names of `dimse` that no page has are on the last one.
PAGES: Mapping[str, Page] = {
    "associations": Page(
        "Associations",
        "requesting an association, and its operations",
        (
            "dimse.associate",
            "dimse.Association",
            "dimse.contexts_for",
            "dimse.contexts_for_get",
            "dimse.Peer",
            "dimse.PresentationContext",
            "dimse.Status",
            "dimse.Commitment",
            "dimse.Verification",
        ),
    ),
    "settings": Page(
        "Settings",
        "the values that associations and servers take",
        (
            "dimse.Requestor",
            "dimse.Acceptor",
            "dimse.Timeouts",
            "dimse.Limits",
            "dimse.TLS",
            "dimse.TLSSession",
            "dimse.UserIdentity",
            "dimse.ProposedContext",
            "dimse.Role",
            "dimse.ExtendedNegotiation",
            "dimse.CommonExtendedNegotiation",
        ),
    ),
    "sending": Page(
        "Sending",
        "many files to one peer, and forwarding",
        ("dimse.send", "dimse.Outcome", "dimse.Forwarder", "dimse.sending"),
    ),
    "query-retrieve": Page(
        "Query and retrieve",
        "what C-FIND, C-GET and C-MOVE return",
        (
            "dimse.Match",
            "dimse.blocking.Matches",
            "dimse.Features",
            "dimse.Progress",
            "dimse.Retrieved",
            "dimse.blocking.Retrieval",
            "dimse.blocking.Instances",
        ),
    ),
    "serving": Page(
        "Serving",
        "a server, and the requests that its handlers get",
        (
            "dimse.Server",
            "dimse.Handlers",
            "dimse.EchoRequest",
            "dimse.StoreRequest",
            "dimse.FindRequest",
            "dimse.OperationRequest",
            "dimse.RetrieveRequest",
            "dimse.MoveTo",
        ),
    ),
    "archive": Page(
        "Storing instances",
        "the storage of storescp, and events",
        ("dimse.archive", "dimse.archive.events"),
    ),
    "errors": Page("Errors", "every exception, from the general to the special", ("dimse.errors",)),
    "aio": Page("asyncio", "the same operations as coroutines", ("dimse.aio",)),
    "testing": Page("Testing", "peers for the tests of a program", ("dimse.testing",)),
    "uids": Page("UIDs", "the UIDs of the Standard, and transfer syntaxes", ("dimse.uids",)),
    "logs": Page("Logs", "the association of a log record, and private arguments", ("dimse.logs",)),
    "more": Page("More names", "the rest of the public names", ()),
}

PRIVATE = ("__version__",)


def names_of(module: str) -> list[str]:
    """Return the public names of a module: those of its `__all__`, or what it defines and the values that it declares."""
    found = import_module(module)
    listed: Iterable[str] | None = getattr(found, "__all__", None)
    if listed is None:
        defined = (name for name, each in list(vars(found).items()) if _home(each).startswith(module))
        listed = [name for name in (*found.__annotations__, *defined) if not name.startswith("_")]
    return [f"{module}.{name}" for name in listed if name not in PRIVATE]


def _home(value: object) -> str:
    """Return the module that defines a class or function; empty for another value."""
    return str(getattr(value, "__module__", ""))


def shown(name: str) -> list[str]:
    """Return the names that a page shows. A name of another module that is a name of `dimse` too is shown as that only."""
    if name == "more":
        known = {id(find(each)) for other in PAGES if other != "more" for each in shown(other)}
        return [each for each in names_of("dimse") if id(find(each)) not in known]
    if name == "errors":
        return [f"dimse.errors.{kind.__name__}" for kind in _errors()]
    return [each for one in PAGES[name].names for each in (_own_names_of(one) if _is_module(one) else [one])]


def _own_names_of(module: str) -> list[str]:
    return [each for each in names_of(module) if find(each) is not getattr(dimse, each.rpartition(".")[2], None)]


def _is_module(name: str) -> bool:
    return name.rpartition(".")[2].islower() and inspect.ismodule(find(name))


def find(name: str) -> object:
    """Return the object with this name."""
    module, _, last = name.rpartition(".")
    home = import_module(module)
    return getattr(home, last) if hasattr(home, last) else import_module(name)


def _errors() -> list[type[Exception]]:
    """Return the exceptions in the order of their class tree, so that each stands behind its base."""

    def below(kind: type[Exception]) -> Iterable[type[Exception]]:
        yield kind
        for derived in kind.__subclasses__():
            if derived.__module__ == errors.__name__:
                yield from below(derived)

    return list(dict.fromkeys(below(errors.DimseError)))


def pages() -> dict[str, str]:
    """Return the text of each page by its path within the folder `docs`."""
    return {f"reference/python/{name}.md": _page(name) for name in PAGES if shown(name)}


def _page(name: str) -> str:
    about = [inspect.getdoc(import_module(one)) or "" for one in PAGES[name].names if _is_module(one)]
    blocks = (f"::: {each}" for each in shown(name))
    return "\n\n".join((f"# {PAGES[name].title}", *about, *blocks)) + "\n"

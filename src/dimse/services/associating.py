"""The types of `associate` for type checkers and editors: with a host and a port, or with a `Remote` in their place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

from dimse.association.association import Dispatcher
from dimse.settings import (
    MAXIMUM_SEND_LENGTH,
    REQUESTOR_MAXIMUM_LENGTH,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ProposedContext,
    Requestor,
    Role,
    Timeouts,
    UserIdentity,
)
from dimse.settings.observer import Observer
from dimse.settings.remote import Remote
from dimse.settings.tls import TLS

if TYPE_CHECKING:
    import ssl

A_co = TypeVar("A_co", covariant=True)


class Associate(Protocol[A_co]):
    """The type of `associate` of a face, which returns an `A_co`."""

    @overload
    def __call__(
        self,
        host: str,
        port: int,
        *,
        requestor: Requestor | None = None,
        contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext] = (),
        calling_ae_title: str = "DIMSE",
        called_ae_title: str = "ANY-SCP",
        maximum_length: int = REQUESTOR_MAXIMUM_LENGTH,
        maximum_send_length: int = MAXIMUM_SEND_LENGTH,
        roles: Iterable[Role] = (),
        extended: Iterable[ExtendedNegotiation] = (),
        common_extended: Iterable[CommonExtendedNegotiation] = (),
        identity: UserIdentity | None = None,
        async_ops: int = 1,
        timeouts: Timeouts = ...,
        tls: TLS | ssl.SSLContext | None = None,
        handlers: Dispatcher | None = None,
        observe: Observer | None = None,
    ) -> A_co:
        """Connect to a host and request an association; see `dimse.associate`."""

    @overload
    def __call__(
        self,
        host: Remote,
        *,
        requestor: Requestor | None = None,
        contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext] = (),
        calling_ae_title: str = "DIMSE",
        called_ae_title: str = "ANY-SCP",
        maximum_length: int = REQUESTOR_MAXIMUM_LENGTH,
        maximum_send_length: int = MAXIMUM_SEND_LENGTH,
        roles: Iterable[Role] = (),
        extended: Iterable[ExtendedNegotiation] = (),
        common_extended: Iterable[CommonExtendedNegotiation] = (),
        identity: UserIdentity | None = None,
        async_ops: int = 1,
        timeouts: Timeouts = ...,
        tls: TLS | ssl.SSLContext | None = None,
        handlers: Dispatcher | None = None,
        observe: Observer | None = None,
    ) -> A_co:
        """Connect to a remote and request an association; see `dimse.associate`."""

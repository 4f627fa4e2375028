"""The arguments with which the associations of a sending are requested."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from dimse.settings import CommonExtendedNegotiation, ExtendedNegotiation, Requestor, Role, Timeouts, UserIdentity
    from dimse.settings.observer import Observer
    from dimse.settings.tls import TLS


class AssociationOptions(TypedDict, total=False):
    """The keywords of `dimse.associate`, without the contexts, which the files decide, and the handlers."""

    requestor: Requestor | None
    calling_ae_title: str
    called_ae_title: str
    maximum_length: int
    maximum_send_length: int
    roles: Iterable[Role]
    extended: Iterable[ExtendedNegotiation]
    common_extended: Iterable[CommonExtendedNegotiation]
    identity: UserIdentity | None
    async_ops: int
    timeouts: Timeouts
    tls: TLS | ssl.SSLContext | None
    observe: Observer | None

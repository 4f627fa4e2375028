"""The arguments with which the associations of a sending are requested."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from dimse.settings import CommonExtendedNegotiation, ExtendedNegotiation, Role, Timeouts, UserIdentity
    from dimse.settings.tls import TLS


class AssociationOptions(TypedDict, total=False):
    """The arguments of `dimse.associate` for associations that are requested later; see there."""

    calling_ae_title: str
    called_ae_title: str
    timeouts: Timeouts
    maximum_length: int
    maximum_send_length: int
    tls: TLS | ssl.SSLContext | None
    roles: Iterable[Role]
    extended: Iterable[ExtendedNegotiation]
    common_extended: Iterable[CommonExtendedNegotiation]
    identity: UserIdentity | None
    async_ops: int

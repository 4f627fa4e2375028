"""A peer and the way to talk to it, as one value: address, AE titles, TLS, identity and timeouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from dimse.settings import (
    MAXIMUM_SEND_LENGTH,
    REQUESTOR_MAXIMUM_LENGTH,
    Timeouts,
    UserIdentity,
    arguments,
    validate_ae_title,
    validate_proposal,
)
from dimse.support.values import fields, value

if TYPE_CHECKING:
    import ssl

    from dimse.settings.tls import TLS


@value
class Remote:
    """A peer and the way to talk to it, for programs that name it once. Its `repr` does not show secrets.

    `associate`, `send` and `Forwarder` take it in place of a host and a port. A keyword that is given beside it wins; over the
    fields of a `requestor=` it wins itself.

    Attributes:
        host: The peer's name, IPv4 or IPv6 address.
        port: Its port, 1 to 65535.
        called_ae_title: The AE title of the peer, 1 to 16 characters.
        calling_ae_title: Our AE title, 1 to 16 characters.
        tls: A `dimse.TLS`, or any context of `ssl`; None for a plain connection.
        identity: The user identity to propose (PS3.7 D.3.3.7); None proposes none.
        timeouts: The deadlines of the associations, in seconds.
        maximum_length: The largest P-DATA-TF PDU that we receive, in bytes; 0 is unlimited.
        maximum_send_length: Our cap, in bytes, on what we send below the peer's maximum.
        async_ops: Operations that may be outstanding at one time (PS3.7 D.3.3.3); 1 negotiates nothing, 0 asks for no limit.

    Raises:
        TypeError: A field is of the wrong type.
        ValueError: A field is outside of what the Standard allows.
    """

    host: str
    port: int
    called_ae_title: str = "ANY-SCP"
    calling_ae_title: str = "DIMSE"
    tls: TLS | ssl.SSLContext | None = None
    identity: UserIdentity | None = None
    timeouts: Timeouts = Timeouts()
    maximum_length: int = REQUESTOR_MAXIMUM_LENGTH
    maximum_send_length: int = MAXIMUM_SEND_LENGTH
    async_ops: int = 1

    def __post_init__(self) -> None:
        put = object.__setattr__
        arguments.host_and_port("Remote", (self.host, self.port))
        put(self, "called_ae_title", validate_ae_title(self.called_ae_title))
        put(self, "calling_ae_title", validate_ae_title(self.calling_ae_title))
        arguments.instance_of("timeouts", self.timeouts, Timeouts, "timeouts=dimse.Timeouts(acse=5)")
        validate_proposal(self.maximum_length, self.maximum_send_length, self.async_ops, self.identity)
        if self.tls is not None:
            from dimse.settings.tls import validate

            validate(self.tls)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the remote with this name in the user's file of remotes, the one that `--remote` of the tools reads.

        It is the file `$DIMSE_CONFIG`, else `dimse/remotes.toml` in `$XDG_CONFIG_HOME`, which is `~/.config` by default.

        Raises:
            ValueError: There is no such remote, or the file cannot be used; the message is one line that names the file.
        """
        from dimse.settings.remotes import read

        return cls(**read(name, cls))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of `dimse.associate` that it stands for."""
        return {name: getattr(self, name) for name in fields(self) if name not in ("host", "port")}


def address_and_options(
    name: str, peer: object, port: object, options: dict[str, Any]
) -> tuple[tuple[str, int], dict[str, Any]]:
    """Return the address of a peer, and the keywords of `dimse.associate` for it.

    Args:
        name: The name of the function that was called.
        peer: A host; or a `Remote`, whose keywords are completed by `options`.
        port: The port; None with a `Remote`.
        options: The keywords that were given, which win.

    Raises:
        TypeError, ValueError: They are neither a `Remote` nor a host and a port.
    """
    if not isinstance(peer, Remote):
        return arguments.host_and_port(name, (peer, port)), options
    if port is not None:
        raise TypeError(f"{name} takes a dimse.Remote, or a host and a port, and not a dimse.Remote and {port!r}")
    return peer.address, peer.options | options

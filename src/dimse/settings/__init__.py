"""The settings of associations, validated once: AE titles, timeouts, limits, and the two ends of a negotiation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import cast

from dimse import uids
from dimse.settings import arguments
from dimse.support.values import field, fields, value
from dimse.version import __version__

IMPLEMENTATION_CLASS_UID = "2.25.215146092437265891204364521487269146372"
IMPLEMENTATION_VERSION_NAME = f"DIMSE_{__version__.replace('.', '_')}"

# The largest P-DATA-TF PDU body that we receive, by default: for a requestor and for a server.
REQUESTOR_MAXIMUM_LENGTH = 16382
ACCEPTOR_MAXIMUM_LENGTH = 131072
# The largest that we send, even if the peer allows more: larger ones gain nothing and cost the peer memory.
MAXIMUM_SEND_LENGTH = 262144
# The smallest in which a message can be sent: a PDV's header and two bytes of its value (PS3.8 9.3.5).
LEAST_SEND_LENGTH = 8

# Presentation contexts of an association. Their IDs are the odd numbers of a byte (PS3.8 7.1.1.13).
MOST_CONTEXTS = 128

DEFAULT_TRANSFER_SYNTAXES = (
    uids.ExplicitVRLittleEndian,
    uids.ImplicitVRLittleEndian,
    uids.DeflatedExplicitVRLittleEndian,
    uids.ExplicitVRBigEndian,
)


def validate_ae_title(title: str) -> str:
    """Return an AE title without insignificant spaces (PS3.5 6.2, VR AE).

    Raises:
        TypeError: It is not a text.
        ValueError: It is empty, longer than 16 characters, or has a character that the VR AE does not allow.
    """
    if not isinstance(title, str):
        raise TypeError(f"an AE title is a text, not {title!r}")
    stripped = title.strip(" ")
    if not 1 <= len(stripped) <= 16:
        raise ValueError(f"an AE title has 1 to 16 characters, not {len(stripped)}: {title!r}")
    if not stripped.isascii() or not stripped.isprintable() or "\\" in stripped:
        raise ValueError(f"an AE title has printable ASCII characters and no backslash: {title!r}")
    return stripped


def validate_maximum_length(length: int) -> int:
    """Return a Maximum Length that we may announce (PS3.8 D.1): 0 for unlimited, or 4096 to 2^32-1 bytes.

    Raises:
        ValueError: It is another number.
    """
    if length != 0 and not 4096 <= length <= 0xFFFFFFFF:
        raise ValueError(f"the maximum length is 0 (unlimited) or 4096 to 4294967295 bytes, not {length}")
    return length


def validate_maximum_send_length(length: int) -> int:
    """Return a cap on the PDUs that we send: `LEAST_SEND_LENGTH` to 2^32-1 bytes.

    Raises:
        ValueError: It is another number.
    """
    if not LEAST_SEND_LENGTH <= length <= 0xFFFFFFFF:
        raise ValueError(f"the longest PDU to send has {LEAST_SEND_LENGTH} to 4294967295 bytes, not {length}")
    return length


ASYNC_OPS = 4
"""The asynchronous operations window that the listening tools grant by default.

A larger window gains next to nothing, and every operation that is outstanding when a connection is lost has an unknown outcome.
"""


def validate_async_ops(operations: int) -> int:
    """Return an asynchronous operations window (PS3.7 D.3.3.3): 0 for unlimited, to 65535.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is another number.
    """
    if not isinstance(operations, int):
        raise TypeError(f"async_ops is a whole number, the asynchronous operations window, not {operations!r}")
    if not 0 <= operations <= 0xFFFF:
        raise ValueError(f"the asynchronous operations window is 0 (unlimited) to 65535, not {operations}")
    return operations


@value
class Timeouts:
    """The deadlines of the waits, in seconds; 0 is unlimited.

    Attributes:
        connect: To establish the transport connection, and as long again for a TLS handshake over it, on a server too.
        acse: For the answer to an association request or a release request, and for the peer to close the connection.
        dimse: For a response, from the last byte of its request.
        network: Without a byte sent or received, while a message is under way.
        idle: Between messages, on an association of a server.
    """

    connect: float = 10
    acse: float = 30
    dimse: float = 30
    network: float = 30
    idle: float = 60

    def __post_init__(self) -> None:
        for name in fields(self):
            seconds: object = getattr(self, name)
            if not isinstance(seconds, (int, float)):
                raise TypeError(f"the {name} timeout is a number of seconds, not {seconds!r}")
            if not 0 <= seconds < float("inf"):
                raise ValueError(f"the {name} timeout is 0 (unlimited) or a number of seconds, not {seconds}")


@value
class Limits:
    """The limits on the resources that peers may use on a server.

    Attributes:
        associations: Associations at one time; more are rejected (transient, local limit exceeded).
        per_address: Associations of one address; 0 is without limit, None is 90 % of `associations`, at least 1. An IPv6
            address counts by its first 64 bits.
        half_open: Connections without an association. Beyond this limit, the address with most of them loses its oldest one.
        half_open_bytes: Bytes received of all their requests together; beyond this limit connections are closed likewise.
        identity_checks: Checks of user identities that run at one time; one address has half of them, at least 1. Other
            requests wait, and occupy no place of an association meanwhile.
        queued_requests: The largest window of asynchronous operations that a requestor is granted (PS3.7 D.3.3.3). One request at a
            time is taken in: the rest waits in the connection.
    """

    associations: int = 100
    per_address: int | None = None
    half_open: int = 1024
    half_open_bytes: int = 32 * 1024 * 1024
    identity_checks: int = 4
    queued_requests: int = 64

    def __post_init__(self) -> None:
        for name in fields(self):
            number: object = getattr(self, name)
            if not isinstance(number, int) and not (number is None and name == "per_address"):
                raise TypeError(f"the limit {name} is a whole number, not {number!r}")
        if self.identity_checks < 1:
            raise ValueError(f"at least 1 check of a user identity runs at one time, not {self.identity_checks}")
        if self.per_address is not None and self.per_address < 0:
            raise ValueError(f"the associations of one address are 0 (no limit) or more, not {self.per_address}")

    @property
    def most_per_address(self) -> int:
        """The largest number of associations of one address; 0 is without limit."""
        return max(1, self.associations * 9 // 10) if self.per_address is None else self.per_address


@value
class ProposedContext:
    """A presentation context to propose: an abstract syntax, and transfer syntaxes in order of preference (PS3.8 7.1.1.13)."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = DEFAULT_TRANSFER_SYNTAXES

    def __post_init__(self) -> None:
        if not self.transfer_syntaxes:
            raise ValueError(f"no transfer syntax is proposed for {self.abstract_syntax}")


@value
class Role:
    """A selection of the SCU and SCP roles for a SOP class (PS3.7 D.3.3.4), by the requestor or by the acceptor."""

    sop_class_uid: str
    scu: bool = True
    scp: bool = False


USER_NAME, USER_NAME_AND_PASSCODE, KERBEROS, SAML, JSON_WEB_TOKEN = range(1, 6)
"""User identity types (PS3.7 Table D.3-14)."""

# Bytes of the primary and of the secondary field of a user identity, whose lengths have 16 bits.
LONGEST_IDENTITY = 0xFFFF


@value
class UserIdentity:
    """A user identity (PS3.7 D.3.3.7). Its `repr` does not show the secrets.

    Attributes:
        identity_type: 1 user name, 2 user name and passcode, 3 Kerberos ticket, 4 SAML assertion, 5 JSON web token.
        primary: The user name, ticket, assertion or token.
        secondary: The passcode, with type 2.
        positive_response_requested: True if the acceptor is asked to confirm the identity.
    """

    identity_type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    positive_response_requested: bool = False

    @property
    def user(self) -> str:
        """The user name with types 1 and 2, otherwise empty."""
        named = self.identity_type in (USER_NAME, USER_NAME_AND_PASSCODE)
        return self.primary.decode("utf-8", "replace") if named else ""


Identify = Callable[[UserIdentity], bytes | None | Awaitable[bytes | None]]
"""A function that verifies a user identity. Its result answers the requestor, empty with user names; None rejects the request."""


def validate_identity(identity: UserIdentity) -> UserIdentity:
    """Return a user identity if it can be proposed.

    Raises:
        ValueError: It has another type than 1 to 5, is empty, or is too long to be sent.
    """
    if not USER_NAME <= identity.identity_type <= JSON_WEB_TOKEN:
        raise ValueError(f"the type of a user identity is 1 to 5, not {identity.identity_type}")
    if not identity.primary:
        raise ValueError("a user identity has a user name, ticket, assertion or token that is not empty")
    if max(len(identity.primary), len(identity.secondary)) > LONGEST_IDENTITY:
        raise ValueError(f"a user name, passcode, ticket, assertion or token has at most {LONGEST_IDENTITY} bytes")
    return identity


@value
class ExtendedNegotiation:
    """The service-class application information for a SOP class (PS3.7 D.3.3.5)."""

    sop_class_uid: str
    information: bytes


@value
class CommonExtendedNegotiation:
    """The service class and related general SOP classes of a SOP class (PS3.7 D.3.3.6)."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_class_uids: tuple[str, ...] = ()


@value
class Requestor:
    """The parameters of an association that is requested (PS3.8 7.1.1, PS3.7 D.3).

    Attributes:
        contexts: The presentation contexts to propose, at most 128. Each is a SOP class (with the four uncompressed and deflated
            transfer syntaxes), a SOP class with its transfer syntaxes, or a `ProposedContext`. A SOP class or transfer syntax is
            given by its UID or by its keyword in PS3.6.
        calling_ae_title: Our AE title, 1 to 16 characters.
        called_ae_title: The AE title of the peer.
        maximum_length: The largest P-DATA-TF PDU that we receive, in bytes; 0 is unlimited.
        maximum_send_length: Our cap, in bytes, on what we send below the peer's maximum.
        roles: SCU and SCP roles to propose (PS3.7 D.3.3.4).
        extended: Service-class application information to propose (PS3.7 D.3.3.5).
        common_extended: Service classes and related general SOP classes to propose (PS3.7 D.3.3.6).
        identity: The user identity to propose (PS3.7 D.3.3.7); None proposes none.
        async_ops: Operations that may be outstanding at one time (PS3.7 D.3.3.3); 1 negotiates nothing, 0 asks for no limit.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is outside of what the Standard allows.
    """

    contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext]
    calling_ae_title: str = "DIMSE"
    called_ae_title: str = "ANY-SCP"
    maximum_length: int = REQUESTOR_MAXIMUM_LENGTH
    maximum_send_length: int = MAXIMUM_SEND_LENGTH
    roles: Iterable[Role] = ()
    extended: Iterable[ExtendedNegotiation] = ()
    common_extended: Iterable[CommonExtendedNegotiation] = ()
    identity: UserIdentity | None = None
    async_ops: int = 1

    def __post_init__(self) -> None:
        contexts = arguments.many("contexts", self.contexts, "contexts=[dimse.Verification]")
        if not 1 <= len(contexts) <= MOST_CONTEXTS:
            raise ValueError(
                f"an association has 1 to {MOST_CONTEXTS} presentation contexts, not {len(contexts)} (PS3.8 7.1.1.13)"
            )
        put = object.__setattr__
        put(self, "contexts", tuple(map(proposed, contexts)))
        put(self, "calling_ae_title", validate_ae_title(self.calling_ae_title))
        put(self, "called_ae_title", validate_ae_title(self.called_ae_title))
        put(self, "roles", _validate_roles(self.roles))
        put(self, "extended", tuple(self.extended))
        put(self, "common_extended", tuple(self.common_extended))
        validate_proposal(self.maximum_length, self.maximum_send_length, self.async_ops, self.identity)

    @property
    def proposed_contexts(self) -> tuple[ProposedContext, ...]:
        """The presentation contexts, each written out."""
        return cast(tuple[ProposedContext, ...], self.contexts)


def validate_proposal(
    maximum_length: int, maximum_send_length: int, async_ops: int, identity: UserIdentity | None
) -> None:
    """Validate the parameters that `Requestor` and `dimse.Remote` have in common, except the AE titles.

    Raises:
        TypeError: One of them is of the wrong type.
        ValueError: One of them is outside of what the Standard allows.
    """
    validate_maximum_length(maximum_length)
    validate_maximum_send_length(maximum_send_length)
    validate_async_ops(async_ops)
    if identity is not None:
        arguments.instance_of("identity", identity, UserIdentity, 'identity=dimse.UserIdentity(1, b"user")')
        validate_identity(identity)


def proposed(context: str | tuple[str, Iterable[str]] | ProposedContext) -> ProposedContext:
    """Return the presentation context that one of the short forms of `Requestor.contexts` stands for.

    Raises:
        TypeError: It has another form.
        ValueError: A UID or keyword in it is not known, or it has no transfer syntax.
    """
    match context:
        case ProposedContext():
            return context
        case str():
            return ProposedContext(arguments.uid("contexts", context))
        case (str(abstract_syntax), transfer_syntaxes):
            syntaxes = arguments.many(
                "the transfer syntaxes of a context", transfer_syntaxes, "(CTImageStorage, [ExplicitVRLittleEndian])"
            )
            return ProposedContext(
                arguments.uid("contexts", abstract_syntax),
                tuple(arguments.uid("contexts", syntax) for syntax in syntaxes),
            )
        case _:
            raise TypeError(
                "a context is a SOP class, a SOP class with its transfer syntaxes, or a dimse.ProposedContext, not"
                f" {context!r}"
            )


def _validate_roles(roles: Iterable[Role]) -> tuple[Role, ...]:
    given = arguments.many("roles", roles, "roles=[dimse.Role(...)]")
    for role in given:
        arguments.instance_of("each of roles", role, Role, "roles=[dimse.Role(...)]")
    return given


def _validate_extended(extended: Iterable[ExtendedNegotiation]) -> tuple[ExtendedNegotiation, ...]:
    example = "extended=dimse.Features(relational=True).supported()"
    given = arguments.many("extended", extended, example)
    for item in given:
        arguments.instance_of("each of extended", item, ExtendedNegotiation, example)
    return given


@value
class Acceptor:
    """The parameters of the associations that a server accepts (PS3.8 7.1.1, PS3.7 D.3).

    Attributes:
        contexts: The abstract syntaxes that are accepted, by UID or by keyword of PS3.6. By default those of the services that the
            handlers of the server answer.
        ae_title: Our AE title, 1 to 16 characters.
        transfer_syntaxes: The transfer syntaxes that are accepted: UIDs or keywords of PS3.6, "private" for every private one,
            "any" for every one. By default those of the Standard that carry a whole data set, `uids.STORABLE_TRANSFER_SYNTAXES`.
        prefer_ours: Choose by our order of transfer syntaxes, not by that of the requestor.
        maximum_length: The largest P-DATA-TF PDU that we receive, in bytes; 0 is unlimited.
        maximum_send_length: Our cap, in bytes, on what we send below the peer's maximum.
        require_called: Reject an association that calls another AE title than ours.
        calling_ae_titles: The only AE titles that may call, if any are given.
        accept_unknown: Accept abstract syntaxes that are not in `contexts` too.
        roles: The roles that a requestor may have (PS3.7 D.3.3.4), besides those that the services of the handlers need.
        extended: The service-class application information that the handlers support (PS3.7 D.3.3.5), for queries and retrievals
            that of `Features.supported`. A byte that is 1 here and in the request is answered with 1, and others with 0. A proposal
            for another SOP class is left without an answer.
        async_ops: The most operations that a requestor may have outstanding, if it asks for more than one (PS3.7 D.3.3.3). The
            number is at most `Limits.queued_requests`, and 0 is as many.
        identify: A function, `def` or `async def`, that verifies the user identity of a request (PS3.7 D.3.3.7). Its result answers
            the request, empty with user names; None rejects the association, as an exception does and more than 10 seconds do.
            A request without an identity is rejected.
        allow_anonymous: Accept requests without a user identity, though `identify` is set.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is outside of what the Standard allows, or a UID or keyword in it is not known.
    """

    contexts: Iterable[str] | None = None
    ae_title: str = "DIMSE"
    transfer_syntaxes: Iterable[str] | None = None
    prefer_ours: bool = False
    maximum_length: int = ACCEPTOR_MAXIMUM_LENGTH
    maximum_send_length: int = MAXIMUM_SEND_LENGTH
    require_called: bool = False
    calling_ae_titles: Iterable[str] = ()
    accept_unknown: bool = False
    roles: Iterable[Role] = ()
    extended: Iterable[ExtendedNegotiation] = ()
    async_ops: int = 1
    identify: Identify | None = None
    allow_anonymous: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        if self.contexts is not None:
            contexts = arguments.many("contexts", self.contexts, "contexts=[dimse.Verification]")
            put(self, "contexts", frozenset(arguments.uid("contexts", context) for context in contexts))
        if self.transfer_syntaxes is None:
            put(self, "transfer_syntaxes", uids.STORABLE_TRANSFER_SYNTAXES)
        else:
            example = 'transfer_syntaxes=["ExplicitVRLittleEndian"]'
            syntaxes = arguments.many("transfer_syntaxes", self.transfer_syntaxes, example)
            found = (arguments.uid("transfer_syntaxes", syntax, uids.find_syntax) for syntax in syntaxes)
            put(self, "transfer_syntaxes", tuple(found))
        titles = arguments.many("calling_ae_titles", self.calling_ae_titles, 'calling_ae_titles=["CT1"]')
        put(self, "calling_ae_titles", frozenset(map(validate_ae_title, titles)))
        put(self, "ae_title", validate_ae_title(self.ae_title))
        put(self, "roles", _validate_roles(self.roles))
        put(self, "extended", _validate_extended(self.extended))
        validate_maximum_length(self.maximum_length)
        validate_maximum_send_length(self.maximum_send_length)
        validate_async_ops(self.async_ops)

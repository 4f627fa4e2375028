"""The part that servers of both faces share: they admit associations within their limits, and serve each until it ends.

A connection stays in the waiting room until its A-ASSOCIATE-RQ is complete. Then the blocking face serves it on an event loop in
a thread (`dimse.serving.server`), and the asyncio face serves it in a task (`dimse.aio`).

A server never stops accepting unnoticed. An error that concerns one connection closes that connection alone. If the loop that
accepts and serves connections cannot go on, the server fails: `Reception.failed`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from dimse.association import establishing
from dimse.association.association import LOGGER
from dimse.association.pump import Buffers
from dimse.errors import (
    AssociationAborted,
    ConnectionLost,
    DimseError,
    OperationTimeout,
    RemoteProtocolError,
    ServerFailed,
)
from dimse.logs import ABOUT, About
from dimse.logs.notices import notice
from dimse.logs.security_events import Observe, SecurityEvent, ignore
from dimse.services import Association
from dimse.services.handlers import Handlers, completed
from dimse.serving import admission
from dimse.serving.identification import NOT_VERIFIED, NotIdentified, identify
from dimse.serving.loop import say_failed
from dimse.serving.places import Places
from dimse.serving.ports import Port, Ports
from dimse.serving.visitors import Visitor
from dimse.serving.waiting_room import WaitingRoom
from dimse.settings import (
    ACCEPTOR_MAXIMUM_LENGTH,
    MAXIMUM_SEND_LENGTH,
    Acceptor,
    ExtendedNegotiation,
    Identify,
    Limits,
    Role,
    Timeouts,
    arguments,
)
from dimse.settings.keywords import gathering
from dimse.support.text import counted, host_and_port, one_line

if TYPE_CHECKING:
    import ssl

    from dimse.settings.observer import Observer
    from dimse.settings.tls import TLS


def _observers(observe: Observe | Observer) -> tuple[Observe, Observer | None]:
    """Return the function that takes the security events, and the observer of associations if there is one."""
    if observe is ignore:
        return ignore, None
    from dimse.settings.observer import Observer

    if isinstance(observe, Observer):
        return observe.security or ignore, observe
    if not callable(observe):
        raise TypeError(f"observe is a dimse.Observer, or a function that takes a SecurityEvent, not {observe!r}")
    return observe, None


class Reception:
    """A server of either face: it admits connections, and serves them to their end.

    Args:
        address: Host and port to listen on; port 0 picks a free one.
        handlers: The functions that answer the requests of peers.
        acceptor: The parameters of the associations in one object, for programs that use them again. A keyword that is given beside
            it wins.
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
        timeouts: The deadlines of the associations, in seconds.
        limits: The limits on the resources that peers may use.
        networks: The networks that peers may connect from, in CIDR notation ("10.1.0.0/16"), if any are given.
        share_port: Let other processes listen on the same port; the system spreads the connections over all of them.
        observe: A `dimse.Observer`, whose functions are told of connections, associations and messages; or a function that is
            called with each `SecurityEvent`. They are called in the thread or on the event loop where it happens, and are to
            return soon.
        tls: A `dimse.TLS`, or any context of `ssl`; None for plain connections.
        deny: A function that is called with each peer that is about to be admitted. It returns the abstract syntaxes that this peer
            may not use, whose contexts are rejected by the user (PS3.8 Table 9-18). It must return soon. By default every peer may
            use all.
        also_ports: More ports to listen on, each a number or a `dimse.Port`. All limits hold for all ports together.

    Attributes:
        failed: The reason why the server can serve no longer, chained to its cause; None while all is well. A failed server listens
            no more, has aborted its associations, and is to be shut down.
        when_failed: Called once, without arguments, when `failed` has been set; from any thread.

    Raises:
        TLSConfigurationError: `tls` cannot be used.
        TypeError: An argument is of the wrong type.
        ValueError: An argument is outside of what the Standard allows, or a UID or keyword in it is not known.
    """

    @gathering("acceptor", Acceptor)
    def __init__(
        self,
        address: tuple[str, int],
        handlers: Handlers | None = None,
        *,
        acceptor: Acceptor | None = None,
        contexts: Iterable[str] | None = None,
        ae_title: str = "DIMSE",
        transfer_syntaxes: Iterable[str] | None = None,
        prefer_ours: bool = False,
        maximum_length: int = ACCEPTOR_MAXIMUM_LENGTH,
        maximum_send_length: int = MAXIMUM_SEND_LENGTH,
        require_called: bool = False,
        calling_ae_titles: Iterable[str] = (),
        accept_unknown: bool = False,
        roles: Iterable[Role] = (),
        extended: Iterable[ExtendedNegotiation] = (),
        async_ops: int = 1,
        identify: Identify | None = None,
        allow_anonymous: bool = False,
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        networks: Iterable[str] = (),
        share_port: bool = False,
        observe: Observe | Observer = ignore,
        tls: TLS | ssl.SSLContext | None = None,
        also_ports: Iterable[int | Port] = (),
        deny: establishing.Deny | None = None,
    ) -> None:
        # Whatever dispatches messages will do.
        if handlers is not None and not hasattr(handlers, "answer"):
            arguments.instance_of("handlers", handlers, Handlers, "handlers=dimse.Handlers(store=...)")
        arguments.instance_of("timeouts", timeouts, Timeouts, "timeouts=dimse.Timeouts(idle=60)")
        arguments.instance_of("limits", limits, Limits, "limits=dimse.Limits(associations=10)")
        self.handlers = handlers or Handlers()
        # `gathering` has made it of the keywords.
        assert acceptor is not None
        self.acceptor = completed(acceptor, self.handlers, limits)
        self.timeouts = timeouts
        self.limits = limits
        self._networks = tuple(
            ip_network(network) for network in arguments.many("networks", networks, 'networks=["10.1.0.0/16"]')
        )
        self._observer, self._watches = _observers(observe)
        self._deny = deny
        self.failed: ServerFailed | None = None
        self.when_failed: Callable[[], object] = lambda: None
        host, number = arguments.host_and_port("address", address, least=0)
        more = arguments.many("also_ports", also_ports, "also_ports=[2762]")
        ports = Port(number, tls), *(port if isinstance(port, Port) else Port(port) for port in more)
        self._ports = Ports(host, ports, shared=share_port)
        self._lock = threading.Lock()
        # False while the system has no descriptors left.
        self._accepting = True
        self._places = Places(limits.associations, limits.most_per_address)
        self._buffers = Buffers()
        self._associations: set[Association] = set()
        self._ending: Callable[[Association], None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that are listened on.

        Raises:
            RuntimeError: The server does not listen.
        """
        return self.addresses[0]

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """The host and port of each port that is listened on, the one of `address` first.

        Raises:
            RuntimeError: The server does not listen.
        """
        return self._ports.addresses

    @property
    def associations(self) -> int:
        """The number of associations at the moment."""
        return self._places.taken

    def listen(self) -> Ports:
        """Bind and listen.

        Raises:
            OSError: The address cannot be bound; its message names it.
        """
        if not self._ports.are_open:
            self._ports.open()
            self._ending = None
        return self._ports

    def _waiting_room(
        self,
        watch: Callable[[Visitor, int], None],
        unwatch: Callable[[Visitor], None],
        run: Callable[[Visitor, Coroutine[Any, Any, None], Callable[[], None]], None],
        rouse: Callable[[], None],
    ) -> WaitingRoom:
        """Make the room for half-open connections.

        Args:
            watch: As of `WaitingRoom`.
            unwatch: As of `WaitingRoom`.
            run: Runs a coroutine of a visitor beside the room; the last argument is called if it does not begin to run.
            rouse: Gets `WaitingRoom.expire` called; for such a coroutine.
        """

        def check(visitor: Visitor) -> None:
            run(visitor, self._check(room, visitor, rouse), partial(room.checked, visitor, NOT_VERIFIED))

        def welcome(visitor: Visitor) -> None:
            run(visitor, self._serve(visitor), partial(self._abandon, visitor))

        room = WaitingRoom(
            watch=watch,
            unwatch=unwatch,
            check=check,
            welcome=welcome,
            acceptor=self.acceptor,
            places=self._places,
            timeouts=self.timeouts,
            limits=self.limits,
            networks=self._networks,
            observe=self._observe,
        )
        return room

    def _note_accepting(self, error: Exception | None) -> None:
        """Say once why no connection can be accepted: it is tried again and again until one can, which None tells."""
        if error is not None and self._accepting:
            words = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            notice("cannot accept", "", "cannot accept a connection: %s", words)
        self._accepting = error is None

    def _fail(self, error: BaseException) -> None:
        """Note that the server can serve no longer, and abort its associations; nothing is raised."""
        with self._lock:
            if self.failed is not None:
                return
            words = one_line(f"{type(error).__name__}: {error}")
            self.failed = ServerFailed(f"the server has failed and listens no more: {words}")
            self.failed.__cause__ = error
        with suppress(Exception):
            LOGGER.error("%s", self.failed, exc_info=error if LOGGER.isEnabledFor(logging.DEBUG) else None)
        self._end_all(Association.abort)
        try:
            self.when_failed()
        except Exception as second:
            say_failed("what is told of the failure of a server failed", second)

    def _abandon(self, visitor: Visitor) -> None:
        """Take back the place of an association that will not be served any more, and close its connection."""
        if visitor.closing:
            self._places.end_closing()
        else:
            self._places.give_back(visitor.address)
        visitor.transport.close()

    def _release(self, visitor: Visitor) -> None:
        """Free the place of an association that is being released: its peer may come again before its connection is closed."""
        visitor.closing = self._places.begin_closing(visitor.address)

    def _say_left_behind(self, count: int) -> None:
        """Say that the server ends though handlers have not returned."""
        if count:
            LOGGER.error("%s left behind, for the handler has not returned", counted(count, "association"))

    def _observe(self, event: SecurityEvent) -> None:
        try:
            self._observer(event)
        except Exception as error:
            # A user's own code; the connection is not to suffer.
            LOGGER.error("what observes the server failed: %s", one_line(f"{type(error).__name__}: {error}"))

    def reload_tls(self) -> None:
        """Read the files of each `dimse.TLS` again, for the connections that come from now on; those that stand are left alone.

        From any thread. A context of `ssl` is its owner's to change.

        Raises:
            TLSConfigurationError: They cannot be used; the server goes on with what it had.
        """
        self._ports.reload_tls()

    async def _check(self, room: WaitingRoom, visitor: Visitor, rouse: Callable[[], None]) -> None:
        """Verify the user identity of a visitor, and tell the waiting room."""
        why = NOT_VERIFIED
        try:
            if (request := visitor.request) is not None:  # else it has left meanwhile
                ABOUT.set(About(visitor.peer, request.calling_ae_title, request.called_ae_title))
            visitor.identified = await identify(visitor.transport, self.acceptor, visitor.identity)
            why = ""
        except NotIdentified as error:
            why = str(error)
        finally:
            room.checked(visitor, why)
            rouse()

    async def _serve(self, visitor: Visitor) -> None:
        """Serve one association to its end. Nothing that happens to it is raised: it is a line in the log."""
        (host, port), association, why = visitor.peer, None, ""
        transport, request = visitor.transport, visitor.request
        assert request is not None
        try:
            # To the end of the thread or task.
            ABOUT.set(About((host, port), request.calling_ae_title, request.called_ae_title))
            happened = partial(
                SecurityEvent,
                peer=(host, port),
                calling_ae_title=request.calling_ae_title,
                called_ae_title=request.called_ae_title,
            )
            association = await establishing.accept(
                Association,
                transport,
                visitor.upper_layer,
                request,
                self.acceptor,
                self.timeouts,
                self.handlers,
                self._buffers,
                visitor.identified,
                self._watches,
                self._deny,
            )
            if association is not None:  # all was judged before
                self._say_accepted(visitor, association)
                self._observe(happened("accepted", user=association.peer.user))
                self._associations.add(association)
                association.when_released = partial(self._release, visitor)
                if self._ending is not None:  # it was not among them yet
                    self._ending(association)
                try:
                    await association.serve()
                finally:
                    self._associations.discard(association)
        except AssociationAborted as error:
            LOGGER.info("Association Aborted")
            why = str(error)
        except OperationTimeout as error:
            why = str(error)
            if error.wait == "idle":
                notice("idle", host, "%s: aborted %s: %s", visitor, admission.titles(request), why)
            else:
                LOGGER.error("%s:%d: %s", host, port, one_line(why))
        except (DimseError, OSError) as error:
            why = str(error)
            if isinstance(error, RemoteProtocolError):
                self._observe(happened("protocol", why=why))
            level = logging.WARNING if isinstance(error, ConnectionLost) else logging.ERROR
            LOGGER.log(level, "%s:%d: %s", host, port, one_line(str(error)))
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            say_failed(f"{host_and_port(host, port)}: the association was ended, for the server failed", error)
        finally:
            self._abandon(visitor)
            if association is not None:
                self._observe(happened("ended", why=why))

    def _say_accepted(self, visitor: Visitor, association: Association) -> None:
        """Log the association, and which presentation contexts were refused."""
        assert visitor.request is not None
        titles = admission.titles(visitor.request)
        LOGGER.info("%s: accepted %s", visitor, titles)
        if refused := admission.refused_contexts(association.contexts):
            notice("contexts", visitor.peer[0], "%s: refused contexts of %s: %s", visitor, titles, refused)

    def _end_all(self, end: Callable[[Association], None]) -> None:
        """End every association, those too that are being accepted now."""
        self._ending = end
        for association in list(self._associations):
            try:
                end(association)
            except Exception as error:
                say_failed("an association was not ended in order", error)

"""A server: it listens, admits associations within its limits, and serves each until it ends.

`Reception` is what both faces share: one connection, from its A-ASSOCIATE-RQ to its end. The blocking face gives each connection a
thread (here), the asyncio face a task (`dimse.aio`).
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dimse import uids
from dimse.association import LOGGER
from dimse.errors import AssociationAborted, ConnectionLost, DimseError
from dimse.handlers import Handlers
from dimse.services import AsyncAssociation
from dimse.settings import ACCEPTOR_MAXIMUM_LENGTH, Acceptor, Limits, Timeouts
from dimse.text import one_line
from dimse.transport.base import Transport, deadline_after, tune
from dimse.transport.blocking import BlockingTransport, run

if TYPE_CHECKING:
    import ssl

BACKLOG = 128


class Reception:
    """Accepts and serves associations, one call a connection; what a server of either face is made of.

    Args:
        address: Host and port to listen on; port 0 picks a free one.
        handlers: What answers the peers' requests.
        ae_title: Our AE title.
        contexts: The abstract syntaxes that are accepted; by default Verification, and the Storage SOP classes if `handlers` store.
        transfer_syntaxes: Those that are accepted; by default every one of the Standard.
        prefer_ours: Choose by our order of transfer syntaxes, not the requestor's.
        timeouts: In seconds.
        limits: How much peers may ask for.
        maximum_length: The largest P-DATA-TF PDU that we receive, in bytes; 0 is unlimited.
        require_called: Reject who calls another AE title than ours.
        calling_ae_titles: The only ones that may call, if any are given.
        accept_unknown: Accept abstract syntaxes that are not in `contexts`.
        tls: How to speak TLS; None for plain connections.
    """

    def __init__(
        self,
        address: tuple[str, int],
        handlers: Handlers | None = None,
        *,
        ae_title: str = "DIMSE",
        contexts: Iterable[str] | None = None,
        transfer_syntaxes: Iterable[str] | None = None,
        prefer_ours: bool = False,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  (frozen)
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        maximum_length: int = ACCEPTOR_MAXIMUM_LENGTH,
        require_called: bool = False,
        calling_ae_titles: Iterable[str] = (),
        accept_unknown: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.handlers = handlers or Handlers()
        if contexts is None:
            stored = uids.STORAGE_SOP_CLASSES if self.handlers.store else frozenset[str]()
            contexts = {uids.Verification, *stored}
        if transfer_syntaxes is None:
            transfer_syntaxes = [uid for uid, entry in uids.dictionary().items() if entry.kind == "Transfer Syntax"]
        self.acceptor = Acceptor(
            contexts=frozenset(contexts),
            ae_title=ae_title,
            transfer_syntaxes=tuple(transfer_syntaxes),
            prefer_ours=prefer_ours,
            maximum_length=maximum_length,
            require_called=require_called,
            calling_ae_titles=frozenset(calling_ae_titles),
            accept_unknown=accept_unknown,
        )
        self.timeouts = timeouts
        self.limits = limits
        self._tls = tls
        self._wanted_address = address
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._admitted = 0
        self._associations: set[AsyncAssociation] = set()
        self._transports: set[Transport] = set()  # every connection, those without an association too

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that are listened on.

        Raises:
            RuntimeError: The server does not listen.
        """
        if self._listener is None:
            raise RuntimeError("the server does not listen")
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def listen(self) -> socket.socket:
        """Bind and listen.

        Raises:
            OSError: The address cannot be bound; its message names it.
        """
        host, port = self._wanted_address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from error
        return self._listener

    def _admit(self) -> bool:
        """Take one of the places for associations; False if there is none."""
        with self._lock:
            if self._admitted >= self.limits.associations:
                return False
            self._admitted += 1
            return True

    async def receive(self, transport: Transport) -> None:
        """Serve one connection to its end. Nothing that happens to it is raised: it is a line in the log."""
        admitted: list[bool] = []
        host, port = transport.peer_address

        def admit() -> bool:
            admitted.append(self._admit())
            return admitted[-1]

        association: AsyncAssociation | None = None
        try:
            if self._tls is not None:
                await transport.secure(self._tls, deadline_after(self.timeouts.connect), server_side=True)
            association = await AsyncAssociation.accept(
                transport, self.acceptor, self.timeouts, self.handlers, self.limits, admit=admit
            )
            if association is not None:
                self._associations.add(association)
                await association.serve()
        except AssociationAborted:
            LOGGER.info("Association Aborted")
        except ConnectionLost as error:
            # Health checks connect and close: before an association stands that is no news.
            LOGGER.log(40 if association else 10, "%s", one_line(str(error)))
        except (DimseError, OSError) as error:
            LOGGER.error("%s:%d: %s", host, port, one_line(str(error)))
        finally:
            transport.close()
            self._transports.discard(transport)
            if association is not None:
                self._associations.discard(association)
            with self._lock:
                self._admitted -= admitted.count(True)

    def _abort_all(self) -> None:
        """Abort every association, and end the connections that are none yet."""
        for association in list(self._associations):
            association.abort()
        for transport in list(self._transports):
            transport.wake()


class Server(Reception):
    """A server whose associations each have a thread.

    Use it as a context manager: it listens within the block, in the background, and `serve_forever` waits. See `Reception` for the
    arguments.
    """

    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def start(self) -> None:
        """Listen, and accept connections in a thread of its own.

        Raises:
            OSError: The address cannot be bound.
        """
        listener = self.listen()
        self._stopped = threading.Event()
        self._threads: set[threading.Thread] = set()
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._accept_all, args=(listener,), name="dimse-listener", daemon=True)
        self._thread.start()

    def serve_forever(self) -> None:
        """Wait until `shutdown` is called, from a signal handler or another thread."""
        self._stopped.wait()

    def shutdown(self, drain: float = 0) -> None:
        """Stop listening; let associations end for `drain` seconds, and abort those that have not."""
        if self._thread is None:
            return
        self._waker.send(b"x")
        self._thread.join()
        self._thread = None
        deadline = time.monotonic() + drain
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._abort_all()
        for thread in list(self._threads):
            thread.join()
        self._waker.close()
        self._woken.close()
        self._stopped.set()

    def _accept_all(self, listener: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, listener:
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._woken in ready:
                    return
                try:
                    connection, _ = listener.accept()
                except OSError as error:
                    # The connection is gone again, or descriptors have run out: wait a little for some to come back.
                    LOGGER.warning("cannot accept a connection: %s", error.strerror)
                    selector.unregister(listener)
                    selector.select(0.1)
                    selector.register(listener, selectors.EVENT_READ)
                    continue
                self._receive_in_thread(connection)

    def _receive_in_thread(self, connection: socket.socket) -> None:
        if len(self._threads) >= self.limits.associations + self.limits.half_open:
            connection.close()
            return
        tune(connection)
        transport = BlockingTransport(connection)
        self._transports.add(transport)

        def receive() -> None:
            try:
                run(self.receive(transport))
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=receive, name="dimse-association", daemon=True)
        self._threads.add(thread)
        thread.start()

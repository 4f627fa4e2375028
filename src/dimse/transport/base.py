"""Transport: a non-blocking socket, over which everything above is written once as `async def`.

A call tries the system call first. Only if that would block does its caller await `ready`. Drivers differ in how `ready` waits, and
in where `call` runs a handler. `dimse.transport.threaded` polls and never suspends: a coroutine runs to its end in one step.
`dimse.transport.looped` waits on the event loop of asyncio, `dimse.serving.transport` on that of a blocking server.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dimse.errors import AssociationTimeout, ConnectError, ConnectionLost, TLSError
from dimse.transport import READ, WRITE

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dimse.settings.tls import Security
    from dimse.transport.tls import TLSSession, TLSSocket

T = TypeVar("T")

Address = tuple[Any, ...]
Listener = socket.socket
Views = Sequence["bytes | memoryview"]

MOST_BUFFERS = 1024
"""Buffers in one system call; the system refuses more."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def deadline_after(seconds: float) -> float | None:
    """Return the moment in `seconds` on `time.monotonic()`; None for 0, which is unlimited."""
    return time.monotonic() + seconds if seconds else None


class Turns(Protocol):
    """The interface of a queue of operations on one connection, which take turns.

    Attributes:
        lapsed: True if the operation that was to have its turn was cancelled at that moment; the one that waited clears it.
    """

    lapsed: bool

    async def wait(self) -> None:
        """Wait for the turn of an operation.

        Raises:
            LocalProtocolError: The caller is within the operation that has its turn, and each would wait for the other.
        """

    def begin(self) -> None:
        """Note that the operation of the running task has its turn."""

    def hand_on(self) -> bool:
        """Give the turn to the operation that has waited longest; return False if no operation waits."""

    def refuse(self, why: str) -> None:
        """Let every operation that waits raise a `LocalProtocolError`."""

    def rouse(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `end` soon if other operations wait: it ends the operation that has its turn. May be called from any thread."""


class Transport(ABC):
    """A transport connection (PS3.8 9.1).

    Args:
        connection: A connected socket, or one about to be.

    Attributes:
        calls_in_threads: True if `call` runs a `def` in another thread, because an event loop must not wait for it.
        turns: The queue of operations that wait for one another; None if they are refused instead.
        interruptible: True if a wait for the peer's next message looks now and then whether it is interrupted.
        interrupted: True if such a wait is to end with `INTERRUPTED`. Any thread and a signal handler may set it.
    """

    calls_in_threads = False
    interruptible = interrupted = False
    turns: Turns | None = None

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._plain = connection
        self._socket: socket.socket | TLSSocket = connection
        self._tls: TLSSocket | None = None
        self._closed = False
        self._peer: tuple[str, int] | None = None

    # --- what a driver decides ---

    @abstractmethod
    async def _wait(self, events: int, deadline: float | None, awaited: bool = False) -> int:
        """Wait until the descriptor can be read or written, as `ready` says."""

    @abstractmethod
    async def call(self, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Run a user's handler, `def` or `async def`, or a disk operation that may block."""

    def begin_call(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Begin a disk operation that may block, to be awaited later. Without a thread for it, it begins when it is awaited."""
        return self.call(function, *args)

    @abstractmethod
    async def call_within(self, seconds: float, function: Callable[..., T | Awaitable[T]], *args: Any) -> T:
        """Run a handler as `call` does, and wait at most `seconds`. A `def` runs on after that, and its result is dropped.

        Raises:
            TimeoutError: The handler took longer.
        """

    @abstractmethod
    async def open_another(self, host: str, port: int, timeout: float) -> Transport:
        """Open another connection of the same driver, for a request of ours within the answer to one of the peer's.

        Raises:
            ConnectError: No connection could be made within `timeout` seconds.
        """

    @abstractmethod
    async def breathe(self, count: int) -> None:
        """Let other tasks run from time to time; `count` more bytes have moved without a wait."""

    # --- one connection ---

    async def ready(self, events: int, deadline: float | None, *, awaited: bool = False) -> int:
        """Wait until the connection can be read or written.

        Args:
            events: `READ`, `WRITE` or both.
            deadline: A moment on `time.monotonic()`, or None to wait without limit.
            awaited: True if the wait is for the peer's next message, which may come soon (`dimse.transport.spinning`).

        Returns:
            The events that are ready; 0 if the deadline passed first; `INTERRUPTED` if the wait was interrupted.
        """
        if self._tls is None:
            return await self._wait(events, deadline, awaited)
        if events & READ and self._tls.pending():
            return READ
        wanted = self._tls.waits_for(events)
        happened = await self._wait(wanted, deadline, awaited)
        # If TLS waits for another event, the next call looks at what has arrived.
        return happened if wanted == events or not happened else events

    async def secure(self, security: Security, deadline: float | None, *, host: str) -> None:
        """Put TLS over a connection of ours to a host (PS3.15 Annex B).

        Raises:
            TLSError: The handshake failed, or did not end before `deadline`; the connection is closed.
        """
        try:
            self.begin_tls(security, host=host)
            while wanted := self.shake_hands():
                if not await self._wait(wanted, deadline):
                    late = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                    raise TLSError(f"TLS handshake failed: {late.strerror}", lasting=False) from late
        except BaseException:
            self.close()
            raise

    def begin_tls(self, security: Security, *, host: str | None = None) -> None:
        """Put TLS over the connection, by default as a server; `shake_hands` then goes on with it.

        Raises:
            TLSError: It cannot begin.
        """
        from dimse.transport.tls import TLSSocket

        try:
            self._socket = self._tls = TLSSocket(self._plain, security, host)
        except (OSError, ValueError) as error:
            raise TLSError(f"TLS handshake failed: {error}", lasting=False) from error

    def shake_hands(self) -> int:
        """Go on with the TLS handshake; return the event that it waits for, 0 when it is done.

        Raises:
            TLSError: It failed.
        """
        assert self._tls is not None
        return 0 if self._tls.handshake() else self._tls.wanted

    def send_some(self, buffers: Views) -> int:
        """Send what the system takes of `buffers`; return the number of bytes, 0 if it would block.

        The caller awaits `breathe` afterwards, once it knows whether it stands between two PDUs.

        Raises:
            ConnectionLost: The connection is broken.
        """
        try:
            sent = self._sendv(buffers)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            # A mapped file has become shorter; the connection is well.
            if error.errno == errno.EFAULT:
                raise
            raise ConnectionLost(f"Connection closed while sending: {error.strerror or error}") from error
        return sent

    async def receive_some(self, buffer: memoryview) -> int | None:
        """Receive as `receive_now` does, and let other tasks run."""
        received = self.receive_now(buffer)
        if received:
            await self.breathe(received)
        return received

    def receive_now(self, buffer: memoryview) -> int | None:
        """Receive what has arrived into `buffer`; return the number of bytes, 0 at the end, None if it would block.

        Raises:
            ConnectionLost: The connection is broken.
        """
        try:
            received = self._socket.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise ConnectionLost(f"Connection closed: {error.strerror or error}") from error
        return received

    def _sendv(self, buffers: Views) -> int:
        return self._socket.sendmsg(buffers if len(buffers) <= MOST_BUFFERS else buffers[:MOST_BUFFERS])

    def acknowledge(self) -> None:
        """Let TCP acknowledge now what has been received, where the system can.

        A peer with Nagle's algorithm on waits for that before it sends the rest of a message. It is not needed where an answer of
        ours goes out soon, which carries the acknowledgement.
        """
        if _QUICKACK is not None:
            # If the connection is broken, the next call raises the error.
            with suppress(OSError):
                self._plain.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def send_now(self, data: bytes) -> None:
        """Send a few last bytes if the system takes them at once. May be called from any thread."""
        try:
            if self._tls is None:
                self._plain.sendmsg([data])
            else:
                self._tls.send_now(data)
        except OSError:
            # The peer is gone.
            return

    def wake(self) -> None:
        """Shut the connection down, which ends a wait for it. May be called from any thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The connection is down already.
            return

    def fileno(self) -> int:
        """Return the descriptor, for a poller."""
        return self._plain.fileno()

    def close(self) -> None:
        """Close the connection. This is idempotent."""
        if not self._closed:
            self._closed = True
            self._socket.close()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def holds_data(self) -> bool:
        """True if TLS has taken data from the socket that can be received, and that a poller does not see."""
        return self._tls is not None and self._tls.pending()

    @property
    def secured(self) -> bool:
        """True if the connection uses TLS."""
        return self._tls is not None

    @property
    def tls(self) -> TLSSession | None:
        """The outcome of the TLS handshake; None on a plain connection."""
        return None if self._tls is None else self._tls.session

    @property
    def peer_fingerprint(self) -> str | None:
        """The SHA-256 of the peer's certificate; empty if it has shown none, and None on a plain connection."""
        session = self.tls
        if session is None:
            return None
        return "" if session.certificate is None else session.certificate.sha256

    @property
    def silent(self) -> bool:
        """True if the peer has sent nothing at all in the TLS handshake."""
        return self._tls is not None and not self._tls.heard

    def turned_away(self) -> TLSError | None:
        """Return the probable reason of a peer that has ended the connection before it sent data; None on a plain one.

        Since TLS 1.3, the handshake of a client ends before the server has verified the client's certificate.
        """
        if self._tls is None:
            return None
        if self._tls.alert:
            return TLSError(f"TLS handshake failed: {self._tls.alert}")
        return TLSError(
            "the peer closed the connection after the TLS handshake: perhaps it refused our certificate, or wants one"
            f" ({self._tls.named('certificate')})",
            lasting=False,
        )

    @property
    def peer_address(self) -> tuple[str, int]:
        """The numeric host and the port of the peer; ("", 0) if the connection was reset before they were read."""
        if self._peer is None:
            try:
                name = self._plain.getpeername()
            except OSError:
                return "", 0
            self._peer = str(name[0]), int(name[1])
        return self._peer


def open_socket(family: int) -> socket.socket:
    """Return a socket with the options that every association wants."""
    connection = socket.socket(family, socket.SOCK_STREAM)
    tune(connection)
    return connection


def tune(connection: socket.socket) -> None:
    """Switch Nagle's algorithm off, because we send whole messages."""
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def connect(
    make: Callable[[socket.socket], Transport],
    resolve: Callable[[str, int, float | None], Awaitable[list[tuple[int, Address]]]],
    host: str,
    port: int,
    timeout: float,
) -> Transport:
    """Open a transport connection: each address of the name in turn, all within one deadline.

    Args:
        make: The driver's transport.
        resolve: The driver's way to look a name up: host, port and deadline to address families and addresses.
        host: A name, an IPv4 or an IPv6 address.
        port: 1 to 65535.
        timeout: Seconds; 0 is unlimited.

    Raises:
        ConnectError: In the system's own words; chained to what the system raised.
    """
    deadline = deadline_after(timeout)
    failure: OSError = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    try:
        addresses = await resolve(host, port, deadline)
    except (OSError, UnicodeError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else "Name or service not known"
        raise ConnectError(words) from error
    for family, address in addresses:
        try:
            transport = make(open_socket(family))
        except OSError as error:
            failure = error
            continue
        try:
            await _connect_one(transport, address, deadline)
        except OSError as error:
            transport.close()
            failure = error
        except BaseException:
            transport.close()
            raise
        else:
            return transport
    raise ConnectError(failure.strerror or str(failure)) from failure


async def _connect_one(transport: Transport, address: Address, deadline: float | None) -> None:
    code = transport._plain.connect_ex(address)
    if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
        if not await transport.ready(WRITE, deadline):
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        code = transport._plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # The peer has reset the connection after it was made: the next read or write raises the error.
        if code == errno.ECONNRESET:
            code = 0
    if code:
        raise OSError(code, os.strerror(code))


def is_a_breach(error: ConnectionLost) -> bool:
    """Return True if the peer broke the protocol of TLS, which is logged louder than a lost connection."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EPROTO


def call_in_thread(function: Callable[..., T], *args: Any) -> Future[T]:
    """Begin a call in a thread of its own, which does not keep the process from ending."""
    from concurrent.futures import Future

    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    context = copy_context()

    def call() -> None:
        try:
            future.set_result(context.run(function, *args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, name="dimse-call", daemon=True).start()
    return future


def timed_out(wait: str, seconds: float = 0) -> AssociationTimeout:
    """Return the error for a wait that passed its deadline, in words that users can search for; `seconds` are for "idle"."""
    words = {
        "acse": "ACSE timeout reached while waiting for response to association request",
        "release": "ACSE timeout reached while waiting for response to release request",
        "dimse": "DIMSE timeout reached while waiting for message response",
        "network": "Network timeout reached",
        "idle": f"the peer sent no request within the idle timeout of {seconds:g} s",
    }
    return AssociationTimeout("acse" if wait == "release" else wait, words.get(wait, ""))

"""An SCP for C-FIND, C-GET and C-MOVE that misbehaves in one way of many, each by its name.

    with serve("two_finals", "find") as scp:
        ...  # an SCU that asks 127.0.0.1:scp.port
    assert scp.cancels == [1]

The SCP answers the named operation with the behaviour. It answers C-ECHO and the other two operations without faults,
over a stock of one study with three CT images. So an SCU that sends a C-FIND before its C-GET gets that far. Of an
association with many contexts, the first uncompressed one of CT Image Storage is used.

`BEHAVIOURS` has them all, and `python -m tests.interop.evil_query` prints them. The server records what comes; see
`Conversation`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.faulty_peer import PeerGoneError
from tests.interop.evil import associations, identifiers, moves, pdus, responses, stores
from tests.interop.evil.conversation import (
    C_ECHO,
    OPERATIONS,
    Conversation,
    Request,
    answer_honestly,
)
from tests.interop.evil.registry import BEHAVIOURS, Behaviour

__all__ = ["BEHAVIOURS", "Behaviour", "EvilSCP", "serve"]

# The modules that enter their behaviours into the table.
MODULES = (responses, identifiers, pdus, stores, moves, associations)

SECONDS = 15.0


@dataclass
class EvilSCP:
    """A listening evil SCP.

    Attributes:
        behaviour: How it misbehaves.
        operation: The operation that it meets so, or "any".
        port: Its port on 127.0.0.1.
        destination: The port of the storage SCP that its C-MOVEs store to; may be set while it runs.
        conversations: The associations so far, with all that came over them.
    """

    behaviour: Behaviour
    operation: str
    port: int
    destination: int = 0
    conversations: list[Conversation] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def wait(self, seconds: float) -> bool:
        """Wait until every association so far is over; return False if one is not after so many seconds."""
        deadline = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(deadline - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def requests(self) -> list[Request]:
        """The requests of every association."""
        return [request for conversation in self.conversations for request in conversation.requests]

    @property
    def cancels(self) -> list[int]:
        """The Message IDs of the C-CANCELs of every association."""
        return [number for conversation in self.conversations for number in conversation.cancels]

    @property
    def store_statuses(self) -> list[int]:
        """The statuses of the C-STORE responses within C-GETs."""
        return [status for conversation in self.conversations for status in conversation.store_statuses]

    @property
    def deliveries(self) -> list[list[str]]:
        """The answers of a C-MOVE's destination, one list for each association."""
        return [answers for conversation in self.conversations for answers in conversation.deliveries]

    @property
    def faults(self) -> list[str]:
        """The violations by the other side."""
        return [fault for conversation in self.conversations for fault in conversation.faults]

    def converse(self, conversation: Conversation) -> None:
        """Accept an association and answer what comes, until it ends."""
        with suppress(PeerGoneError):
            self.behaviour.accept(conversation)
            while (message := conversation.next_message()) is not None:
                if message.command_field == C_ECHO:
                    conversation.respond(message)
                elif message.command_field in OPERATIONS:
                    self._answer(conversation, conversation.requests[-1])
        if conversation.socket.fileno() != -1 and not conversation.end:
            conversation.drain()

    def _answer(self, conversation: Conversation, request: Request) -> None:
        conversation.destination = self.destination
        if self.operation in (request.operation, "any"):
            self.behaviour.act(conversation, request)
        else:
            answer_honestly(conversation, request)


@contextmanager
def serve(
    behaviour: str | Behaviour, operation: str | None = None, *, destination: int = 0, seconds: float = SECONDS
) -> Iterator[EvilSCP]:
    """Serve on a free port of 127.0.0.1 until left, each association in a thread of its own.

    Args:
        behaviour: The behaviour, or its name in `BEHAVIOURS`.
        operation: "find", "get", "move" or "any": what is met with it. By default the first one it is meant for.
        destination: The port on 127.0.0.1 that C-MOVEs store to.
        seconds: The longest that an association may last.

    Yields:
        The server, with a record of everything that came.
    """
    chosen = BEHAVIOURS[behaviour] if isinstance(behaviour, str) else behaviour
    listener = socket.create_server(("127.0.0.1", 0))
    scp = EvilSCP(chosen, operation or chosen.operations[0], listener.getsockname()[1], destination)
    leaving = threading.Event()
    threads = scp._threads
    failures: list[BaseException] = []

    def meet(accepted: socket.socket) -> None:
        with accepted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conversation = Conversation(accepted, leaving, time.monotonic() + seconds)
            scp.conversations.append(conversation)
            try:
                scp.converse(conversation)
            except BaseException as error:  # raised again later
                failures.append(error)

    def listen() -> None:
        # The listener is shut down when the server is left, and `accept` fails.
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=meet, args=(listener.accept()[0],), name=f"evil {chosen.name}")
                threads.append(thread)
                thread.start()

    listening = threading.Thread(target=listen, name="evil listener")
    listening.start()
    try:
        yield scp
    finally:
        leaving.set()
        for conversation in scp.conversations:
            with suppress(OSError):
                conversation.socket.shutdown(socket.SHUT_RDWR)
        listener.shutdown(socket.SHUT_RDWR)
        for thread in (listening, *threads):
            thread.join(seconds + 5)
        listener.close()
    assert not any(thread.is_alive() for thread in (listening, *threads)), "a behaviour passed its deadline"
    if failures:
        raise failures[0]


if __name__ == "__main__":
    for one in BEHAVIOURS.values():
        print(f"{one.name:45} {'/'.join(one.operations):14} {one.says}")

"""Behaviours in the C-STOREs that a C-MOVE sends to the destination, over associations of their own (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from tests.faulty_peer import PeerGoneError, us
from tests.hostile_scu import (
    COMMAND,
    EXPLICIT,
    LAST,
    RELEASE_RQ,
    HostileSCU,
    associate_rq,
    context,
    p_data,
    store_command,
)
from tests.interop.evil import stock
from tests.interop.evil.conversation import (
    MOVE_DESTINATION,
    MOVE_ORIGINATOR,
    MOVE_ORIGINATOR_MESSAGE_ID,
    Conversation,
    Request,
)
from tests.interop.evil.registry import MOVE, behaviour
from tests.interop.evil.stock import CT_IMAGE_STORAGE, FOREIGN, INSTANCES, Instance

STORE_CONTEXT = 1


class Delivery:
    """An association to the destination of a C-MOVE, in one context for CT images.

    Attributes:
        answers: What the destination has answered, a line a PDU.
    """

    def __init__(self, talk: Conversation, request: Request) -> None:
        """Associate with the destination of the request.

        Raises:
            PeerGoneError: Nothing listens there, or it does not accept.
        """
        self.answers: list[str] = []
        self._request, self._calling, self._message_id = request, _called_title(talk), 0
        try:
            self.scu = HostileSCU(talk.destination, seconds=10.0)
        except OSError as error:
            talk.faults.append(f"the destination cannot be reached: {error}")
            raise PeerGoneError from error
        called = request.message.elements.get(MOVE_DESTINATION, b"").strip(b" \0")
        contexts = [context(STORE_CONTEXT, CT_IMAGE_STORAGE, EXPLICIT)]
        self.scu.send(associate_rq(contexts, called=called, calling=self._calling))
        try:
            answer = self.scu.read()
        except TimeoutError:
            answer = "nothing"
        if answer != "A-ASSOCIATE-AC":
            self.scu.socket.close()
            talk.faults.append(f"the destination answered {answer}")
            raise PeerGoneError

    def store(
        self, instance: Instance, uid: str | None = None, changes: Mapping[int, bytes | None] | None = None
    ) -> None:
        """Store an instance, with the originator that the request names, and note the answer."""
        self.begin(instance, uid, changes)
        data = stock.encode(instance.attributes(uid), explicit=True)
        self.scu.send(p_data(STORE_CONTEXT, LAST, data))
        self._read()

    def begin(
        self, instance: Instance, uid: str | None = None, changes: Mapping[int, bytes | None] | None = None
    ) -> None:
        """Send the command of a C-STORE, without its data set."""
        originator: dict[int, bytes | None] = {
            MOVE_ORIGINATOR: self._originator,
            MOVE_ORIGINATOR_MESSAGE_ID: us(self._request.message_id),
        }
        self._message_id += 1
        changes = {**originator, **(changes or {})}
        command = store_command(instance.uid if uid is None else uid, self._message_id, changes)
        self.scu.send(p_data(STORE_CONTEXT, COMMAND | LAST, command))

    def release(self) -> None:
        """Release the association."""
        self.scu.send(RELEASE_RQ)
        self._read()
        self.scu.socket.close()

    def _read(self) -> None:
        """Note the next answer; "silence" if no answer comes in time."""
        try:
            self.answers.append(self.scu.read())
        except TimeoutError:
            self.answers.append("silence")

    @property
    def _originator(self) -> bytes:
        title = self._request.originator
        return title + b" " * (len(title) % 2)


def _called_title(talk: Conversation) -> bytes:
    """Return the title that the requestor called us by."""
    return talk.called_and_calling[:16].strip()


@contextmanager
def delivery(talk: Conversation, request: Request, *, release: bool = True) -> Iterator[Delivery]:
    """Associate with the destination, release at the end if asked to, and keep the answers in `talk.deliveries`."""
    association = Delivery(talk, request)
    talk.deliveries.append(association.answers)
    try:
        yield association
        if release:
            association.release()
    finally:
        association.scu.socket.close()


@behaviour(MOVE)
def move_of_another_study(talk: Conversation, request: Request) -> None:
    """Store an instance of a study that was not asked for, with the right originator."""
    with delivery(talk, request) as destination:
        destination.store(FOREIGN)
    talk.final(request, completed=1)


@behaviour(MOVE)
def move_of_another_study_without_originator(talk: Conversation, request: Request) -> None:
    """Store an instance of a study that was not asked for, and name no originator."""
    with delivery(talk, request) as destination:
        destination.store(FOREIGN, changes={MOVE_ORIGINATOR: None, MOVE_ORIGINATOR_MESSAGE_ID: None})
    talk.final(request, completed=1)


@behaviour(MOVE)
def move_with_wrong_originator(talk: Conversation, request: Request) -> None:
    """Store a foreign instance whose originator is another request of another title."""
    changes = {MOVE_ORIGINATOR: b"STRANGER", MOVE_ORIGINATOR_MESSAGE_ID: us(4711)}
    with delivery(talk, request) as destination:
        destination.store(FOREIGN, changes=changes)
    talk.final(request, completed=1)


@behaviour(MOVE)
def move_with_traversal_uid(talk: Conversation, request: Request) -> None:
    """Store an instance whose UID is a path."""
    with delivery(talk, request) as destination:
        destination.store(INSTANCES[0], uid="../../../../tmp/evil")
    talk.final(request, completed=1)


@behaviour(MOVE)
def move_stores_late(talk: Conversation, request: Request) -> None:
    """Send Success first, and store the instances half a second later."""
    talk.final(request, completed=3)
    talk.stall(0.5)
    with delivery(talk, request) as destination:
        for instance in INSTANCES:
            destination.store(instance)


@behaviour(MOVE)
def move_final_between_stores(talk: Conversation, request: Request) -> None:
    """Send Success after the first of three C-STOREs."""
    with delivery(talk, request) as destination:
        destination.store(INSTANCES[0])
        talk.final(request, completed=3)
        for instance in INSTANCES[1:]:
            destination.store(instance)


@behaviour(MOVE)
def move_never_releases(talk: Conversation, request: Request) -> None:
    """Store the instances, say Success, and leave the association to the destination open."""
    with delivery(talk, request, release=False) as destination:
        for instance in INSTANCES:
            destination.store(instance)
        talk.final(request, completed=3)
        talk.drain()


@behaviour(MOVE)
def move_opens_and_stores_nothing(talk: Conversation, request: Request) -> None:
    """Open an association to the destination, store nothing, and say that three were completed."""
    with delivery(talk, request):
        talk.final(request, completed=3)


@behaviour(MOVE)
def move_stores_half_and_aborts(talk: Conversation, request: Request) -> None:
    """Begin a C-STORE, abort that association, and say that everything was completed."""
    with delivery(talk, request, release=False) as destination:
        destination.store(INSTANCES[0])
        destination.begin(INSTANCES[1])
        destination.scu.reset()
    talk.final(request, completed=3)


@behaviour(MOVE)
def move_stores_half_and_falls_silent(talk: Conversation, request: Request) -> None:
    """Begin a C-STORE, say Success, and leave it unfinished."""
    with delivery(talk, request, release=False) as destination:
        destination.begin(INSTANCES[0])
        talk.final(request, completed=1)
        talk.drain()


@behaviour(MOVE)
def move_over_thirty_associations(talk: Conversation, request: Request) -> None:
    """Open thirty associations to the destination at one time, and store one instance over each that is accepted."""
    with ExitStack() as stack:
        opened = []
        with suppress(PeerGoneError):
            for _ in range(30):
                opened.append(stack.enter_context(delivery(talk, request)))
        for number, destination in enumerate(opened, 1):
            destination.store(INSTANCES[0], uid=f"{stock.SERIES}.{number}")
    talk.final(request, completed=len(opened))


@behaviour(MOVE)
def move_same_instance_twice(talk: Conversation, request: Request) -> None:
    """Store one instance twice over two associations, and count two."""
    for _ in range(2):
        with delivery(talk, request) as destination:
            destination.store(INSTANCES[0])
    talk.final(request, completed=2)


@behaviour(MOVE)
def move_though_destination_unknown(talk: Conversation, request: Request) -> None:
    """Store the instances, and say that the destination is unknown."""
    with delivery(talk, request) as destination:
        for instance in INSTANCES:
            destination.store(instance)
    talk.respond_to(request, 0xA801)

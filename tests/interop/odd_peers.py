"""SCPs for C-FIND, C-GET and C-MOVE that are not wrong on purpose, but have ways of their own, seen in the field.

    with serve_odd("orthanc") as scp:
        ...  # an SCU that asks 127.0.0.1:scp.port

Each is a set of `Ways` over one server of one study with three CT images; all ways can be combined. Two kinds of peer
have no entry, since they are odd as requestors. One proposes no roles; the other, DCMTK's movescu, keeps what it gets
in its working folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.faulty_peer import PeerGoneError
from tests.interop.evil import stock
from tests.interop.evil.conversation import (
    MOVE_ORIGINATOR,
    MOVE_ORIGINATOR_MESSAGE_ID,
    PENDING,
    ROLE_SELECTION,
    SUCCESS,
    Conversation,
    Counts,
    Request,
)
from tests.interop.evil.moves import delivery
from tests.interop.evil.registry import ANY, Behaviour
from tests.interop.evil.stock import EXPLICIT, IMPLICIT, INSTANCES, Instance
from tests.interop.evil.stores import failed_uids
from tests.interop.evil_query import EvilSCP, serve

ASYNCHRONOUS_WINDOW = 0x53
UNABLE_TO_PROCESS, IDENTIFIER_WRONG, DESTINATION_UNKNOWN = 0xC000, 0xA900, 0xA801

Values = Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class Ways:
    """The ways of a peer; the defaults are those of one without any.

    Attributes:
        says: What is odd about it, in a sentence.
        character_set: (0008,0005) of a match: "absent", "always" as ISO_IR 100, or "asked" for only.
        unknown_keys: A key that it does not know comes back "empty", or is "left out".
        table: The tags that it returns; None: all.
        longest_text: Characters after which it cuts a text; 0: never.
        each_instance: It sends a match for each instance, at every level.
        case_counts: It tells upper from lower case in names.
        retrieve_ae_title: Its Retrieve AE Title, which may have several values.
        without_level: The status of a C-FIND without a level; None: it is answered.
        series_without_study: The status of a C-FIND at SERIES level without a study; None: it is answered.
        roles: The role items of its A-ASSOCIATE-AC: "proposed", "absent", or "default" ones (SCU 1, SCP 0).
        only_uncompressed: It accepts no compressed transfer syntax.
        drops_unlimited_window: It closes the connection where an asynchronous operations window is proposed without limit.
        unknown_study_get: The status of a C-GET for what it has not.
        unknown_study_move: The status of a C-MOVE for what it has not.
        move_without_uid: The status of a C-MOVE whose identifier has no unique key; None: it moves all that it has.
        unreachable: The status of a C-MOVE whose destination does not answer.
        originator: The originator in the C-STOREs of a C-MOVE: the "requestor", its "own" title, or "absent".
        pending_data_set: Its pending responses of a C-GET or C-MOVE have a data set.
        pendings: How many pending responses it sends before the first C-STORE, and after the last.
        interval: Seconds between two of those.
        later_moves: The status of each C-MOVE on an association but the first; None: as the first.
        limit: The number of matches after which it stops; 0: none.
        limit_status: The status it ends with then.
    """

    says: str
    character_set: str = "absent"
    unknown_keys: str = "empty"
    table: frozenset[int] | None = None
    longest_text: int = 0
    each_instance: bool = False
    case_counts: bool = False
    retrieve_ae_title: str = ""
    without_level: int | None = IDENTIFIER_WRONG
    series_without_study: int | None = None
    roles: str = "proposed"
    only_uncompressed: bool = False
    drops_unlimited_window: bool = False
    unknown_study_get: int = SUCCESS
    unknown_study_move: int = SUCCESS
    move_without_uid: int | None = IDENTIFIER_WRONG
    unreachable: int = DESTINATION_UNKNOWN
    originator: str = "requestor"
    pending_data_set: bool = False
    pendings: int = 0
    interval: float = 0.05
    later_moves: int | None = None
    limit: int = 0
    limit_status: int = SUCCESS


ODD_PEERS: dict[str, Ways] = {
    "plain": Ways("No way of its own: the measure of the others."),
    "orthanc": Ways(
        "Orthanc: says ISO_IR 100 always; C-MOVE of an unknown study fails with C000H, C-GET of it succeeds.",
        character_set="always",
        unknown_study_move=UNABLE_TO_PROCESS,
    ),
    "dcmqrscp": Ways(
        "dcmqrscp: leaves out unknown keys; case counts in names; SERIES level without a study is C000H.",
        unknown_keys="left out",
        case_counts=True,
        series_without_study=UNABLE_TO_PROCESS,
        only_uncompressed=True,
    ),
    "pynetdicom": Ways(
        "pynetdicom's qrscp: a match for each instance at every level; names itself as the move originator.",
        each_instance=True,
        originator="own",
    ),
    "dcm4chee": Ways("dcm4chee: several values in Retrieve AE Title.", retrieve_ae_title="DCM4CHEE\\*"),
    "no_roles": Ways(
        "A PACS that answers no role selection, and stores within the C-GET all the same.", roles="absent"
    ),
    "default_roles": Ways(
        "A PACS that answers the default roles, and stores within the C-GET all the same.", roles="default"
    ),
    "unreachable_is_c502": Ways("A PACS that says C502H where the destination cannot be reached.", unreachable=0xC502),
    "move_needs_uid": Ways("A PACS that answers 0120H to a C-MOVE without UIDs.", move_without_uid=0x0120),
    "drops_unlimited_window": Ways(
        "A PACS that drops the connection where a window without limit is proposed.", drops_unlimited_window=True
    ),
    "slow_pendings": Ways(
        "Sectra: minutes of pending responses before and after the C-STOREs, here a second.", pendings=10
    ),
    "one_move_an_association": Ways(
        "Sante: one C-MOVE works, and a further one on the same association fails; (0008,0005) only if asked for.",
        later_moves=UNABLE_TO_PROCESS,
        character_set="asked",
    ),
    "small_table": Ways(
        "Conquest: returns the fields of its table only, and cuts long values.",
        unknown_keys="left out",
        table=frozenset(
            [stock.PATIENT_NAME, stock.PATIENT_ID, stock.STUDY_UID, stock.SERIES_UID, stock.SOP_INSTANCE_UID]
        ),
        longest_text=16,
    ),
    "no_originator": Ways("A PACS whose C-STOREs do not name their C-MOVE.", originator="absent"),
    "pending_data_sets": Ways("A PACS whose pending responses have a data set.", pending_data_set=True),
    "stops_in_silence": Ways("A PACS that stops at two matches and says Success.", limit=2),
    "stops_with_a700": Ways("A PACS that stops at two matches and says A700H.", limit=2, limit_status=0xA700),
    "stops_with_b001": Ways("A PACS that stops at two matches and says B001H.", limit=2, limit_status=0xB001),
    "moves_all_without_uid": Ways(
        "A PACS that moves all that it has where no UID is asked for.", move_without_uid=None
    ),
    "needs_no_level": Ways("A PACS that answers a C-FIND without a level as one for studies.", without_level=None),
}


def serve_odd(peer: str | Ways, *, destination: int = 0, seconds: float = 15.0) -> AbstractContextManager[EvilSCP]:
    """Serve as an odd peer on a free port of 127.0.0.1 until left.

    Args:
        peer: Its ways, or their name in `ODD_PEERS`.
        destination: The port on 127.0.0.1 that C-MOVEs store to; nothing listens at 0.
        seconds: The longest that an association may last.
    """
    ways = ODD_PEERS[peer] if isinstance(peer, str) else peer
    name = peer if isinstance(peer, str) else "odd peer"

    def act(talk: Conversation, request: Request) -> None:
        ANSWERS[request.operation](ways, talk, request)

    behaviour = Behaviour(name, ways.says, ANY, act, lambda talk: _accept(ways, talk))
    return serve(behaviour, "any", destination=destination, seconds=seconds)


def _accept(ways: Ways, talk: Conversation) -> None:
    talk.read_request()
    windows = [content for kind, content in talk.negotiation if kind == ASYNCHRONOUS_WINDOW]
    if ways.drops_unlimited_window and any(b"\0\0" in (window[:2], window[2:4]) for window in windows):
        talk.half_close()
        talk.drain()
        raise PeerGoneError
    roles = [(kind, content) for kind, content in talk.negotiation if kind == ROLE_SELECTION]
    if ways.roles == "absent":
        roles = []
    elif ways.roles == "default":
        roles = [(kind, content[:-2] + b"\1\0") for kind, content in roles]
    results = None
    if ways.only_uncompressed:
        results = [
            (context.context_id, 0 if found else 4, found[0] if found else IMPLICIT)
            for context in talk.contexts
            for found in [[syntax for syntax in (EXPLICIT, IMPLICIT) if syntax in context.transfer_syntaxes]]
        ]
    talk.send(talk.acceptance(results, roles))


# --- C-FIND ---


def _find(ways: Ways, talk: Conversation, request: Request) -> None:
    level = request.level
    if not level and ways.without_level is not None:
        talk.final(request, ways.without_level)
        return
    if level == "SERIES" and not _asked(request, stock.STUDY_UID) and ways.series_without_study is not None:
        talk.final(request, ways.series_without_study)
        return
    entities = stock.values_of(level or "STUDY")
    if ways.each_instance:
        entities = entities * (len(INSTANCES) // len(entities))
    found = [values for values in entities if _matches(ways, request, values)]
    for values in found[: ways.limit or None]:
        talk.respond_to(request, PENDING, _identifier(ways, request, values))
    cut = 0 < ways.limit < len(found)
    talk.final(request, ways.limit_status if cut else SUCCESS)


def _asked(request: Request, tag: int) -> list[str]:
    """Return the values of a key."""
    text = request.keys.get(tag, ("", b""))[1].decode("latin-1").strip(" \0")
    return [value.strip(" \0") for value in text.split("\\")] if text else []


def _matches(ways: Ways, request: Request, values: Values) -> bool:
    """Return True if the entity matches the keys that the peer has; others match everything."""
    for tag in set(request.keys) & set(values):
        wanted = _asked(request, tag)
        present = [values[tag][1]]
        if not ways.case_counts and values[tag][0] == "PN":
            wanted, present = [name.lower() for name in wanted], [name.lower() for name in present]
        if wanted and not any(fnmatchcase(value, pattern) for value in present for pattern in wanted):
            return False
    return True


def _identifier(ways: Ways, request: Request, values: Values) -> bytes:
    found: dict[int, tuple[str, str]] = {}
    for tag, (vr, _) in request.keys.items():
        if tag in values and (ways.table is None or tag in ways.table):
            own_vr, text = values[tag]
            found[tag] = (own_vr, text[: ways.longest_text or None] if own_vr != "UI" else text)
        elif ways.unknown_keys == "empty":
            found[tag] = (vr, "")
    if request.level:
        found[stock.LEVEL] = ("CS", request.level)
    if ways.retrieve_ae_title:
        found[stock.RETRIEVE_AE_TITLE] = ("AE", ways.retrieve_ae_title)
    found.pop(stock.CHARACTER_SET, None)
    if ways.character_set == "always" or (ways.character_set == "asked" and stock.CHARACTER_SET in request.keys):
        found[stock.CHARACTER_SET] = ("CS", "ISO_IR 100")
    return stock.encode(((tag, vr, text) for tag, (vr, text) in sorted(found.items())), explicit=request.explicit)


# --- C-GET and C-MOVE ---


def _chosen(request: Request) -> list[Instance]:
    """Return the instances that the UIDs of the request choose; all of them where it has none."""

    def is_among(tag: int, uid: str) -> bool:
        wanted = _asked(request, tag)
        return not wanted or uid in wanted

    return [
        instance
        for instance in INSTANCES
        if is_among(stock.STUDY_UID, instance.study)
        and is_among(stock.SERIES_UID, instance.series)
        and is_among(stock.SOP_INSTANCE_UID, instance.uid)
    ]


def _pending(ways: Ways, talk: Conversation, request: Request, remaining: int, completed: int) -> None:
    counts: Counts = (remaining, completed, 0, 0)
    talk.respond_to(request, PENDING, failed_uids(request, []) if ways.pending_data_set else None, counts)


def _idle(ways: Ways, talk: Conversation, request: Request, remaining: int, completed: int) -> None:
    """Send the pending responses of a peer that has nothing to tell yet."""
    for _ in range(ways.pendings):
        _pending(ways, talk, request, remaining, completed)
        talk.take_input(ways.interval)


def _get(ways: Ways, talk: Conversation, request: Request) -> None:
    chosen = _chosen(request)
    if not chosen:
        talk.final(request, ways.unknown_study_get)
        return
    _idle(ways, talk, request, len(chosen), 0)
    for number, instance in enumerate(chosen, 1):
        talk.store(request, instance)
        _pending(ways, talk, request, len(chosen) - number, number)
    _idle(ways, talk, request, 0, len(chosen))
    talk.final(request, completed=len(chosen))


def _move(ways: Ways, talk: Conversation, request: Request) -> None:
    status = _move_refused(ways, talk, request)
    if status is not None:
        talk.respond_to(request, status, counts=(None, 0, 0, 0))
        return
    chosen = _chosen(request)
    _idle(ways, talk, request, len(chosen), 0)
    completed = -1
    with suppress(PeerGoneError), delivery(talk, request) as destination:
        completed = 0
        for number, instance in enumerate(chosen, 1):
            destination.store(instance, changes=_originator(ways, talk))
            completed += destination.answers[-1].endswith(" 0000H")
            _pending(ways, talk, request, len(chosen) - number, number)
    if completed < 0:
        talk.respond_to(request, ways.unreachable, counts=(None, 0, len(chosen), 0))
        return
    _idle(ways, talk, request, 0, len(chosen))
    failed = len(chosen) - completed
    talk.respond_to(request, 0xB000 if failed else SUCCESS, counts=(None, completed, failed, 0))


def _move_refused(ways: Ways, talk: Conversation, request: Request) -> int | None:
    """Return the status that a C-MOVE is refused with; None if it goes on."""
    earlier = [other for other in talk.requests[:-1] if other.operation == "move"]
    if earlier and ways.later_moves is not None:
        return ways.later_moves
    unique = [stock.STUDY_UID, stock.SERIES_UID, stock.SOP_INSTANCE_UID]
    if not any(_asked(request, tag) for tag in unique) and ways.move_without_uid is not None:
        return ways.move_without_uid
    return None if _chosen(request) else ways.unknown_study_move


def _originator(ways: Ways, talk: Conversation) -> dict[int, bytes | None]:
    if ways.originator == "absent":
        return {MOVE_ORIGINATOR: None, MOVE_ORIGINATOR_MESSAGE_ID: None}
    return {MOVE_ORIGINATOR: talk.called_and_calling[:16]} if ways.originator == "own" else {}


ANSWERS = {"find": _find, "get": _get, "move": _move}

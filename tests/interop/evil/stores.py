"""Behaviours in the C-STORE sub-operations of a C-GET, and in what is said of them (PS3.4 C.4.3)."""

from __future__ import annotations

from collections.abc import Mapping

from tests.faulty_peer import (
    AFFECTED_SOP_CLASS_UID,
    COMMAND_DATA_SET_TYPE,
    MESSAGE_ID,
    NO_DATA_SET,
    P_DATA_TF,
    pdu,
    pdv,
    ui,
    us,
)
from tests.interop.evil import stock
from tests.interop.evil.conversation import (
    LONGEST_PDV,
    PENDING,
    SUCCESS,
    Conversation,
    Counts,
    Request,
)
from tests.interop.evil.registry import GET, MOVE, behaviour
from tests.interop.evil.stock import FOREIGN, INSTANCES, MR_IMAGE_STORAGE

WARNING_STATUS, ALL_FAILED = 0xB000, 0xA702
NOTHING: Counts = (None, None, None, None)
MEBIBYTE = 1 << 20


def failed_uids(request: Request, uids: list[str]) -> bytes:
    """Return an identifier with the list of failed SOP Instance UIDs."""
    return stock.encode([(stock.FAILED_UIDS, "UI", "\\".join(uids))], explicit=request.explicit)


# --- C-STOREs that are wrong ---


@behaviour(GET)
def store_of_another_class(talk: Conversation, request: Request) -> None:
    """Store an instance whose command names another SOP class than the context's."""
    changes = {AFFECTED_SOP_CLASS_UID: ui(MR_IMAGE_STORAGE)}
    talk.store(request, INSTANCES[0], changes=changes)
    talk.final(request, completed=1)


@behaviour(GET)
def store_on_the_get_context(talk: Conversation, request: Request) -> None:
    """Store an instance on the presentation context of the C-GET."""
    talk.store(request, INSTANCES[0], context_id=request.message.context_id)
    talk.final(request, completed=1)


@behaviour(GET)
def store_on_unknown_context(talk: Conversation, request: Request) -> None:
    """Store an instance on a presentation context that was never proposed."""
    talk.store(request, INSTANCES[0], context_id=251)
    talk.final(request, completed=1)


@behaviour(GET)
def store_of_another_study(talk: Conversation, request: Request) -> None:
    """Store an instance of a study that was not asked for, and count it as completed."""
    talk.store(request, FOREIGN)
    talk.final(request, completed=1)


def _store_under(name: str, says: str, uid: str, data_uid: str | None = None) -> None:
    """Enter a behaviour that stores one instance under a UID of its own choice."""

    def act(talk: Conversation, request: Request) -> None:
        talk.store(request, INSTANCES[0], uid=uid, data_uid=data_uid)
        talk.final(request, completed=1)

    act.__name__, act.__doc__ = name, says
    behaviour(GET)(act)


_store_under("store_with_traversal_uid", "Store an instance whose UID is a path.", "../../../../tmp/evil")
_store_under("store_with_absolute_uid", "Store an instance whose UID is an absolute path.", "/tmp/evil")
_store_under("store_with_nul_in_uid", "Store an instance whose UID holds a NUL and a line end.", "1.2\0\n.3")
_store_under("store_with_empty_uid", "Store an instance without a UID.", "")
_store_under("store_with_long_uid", "Store an instance whose UID has a thousand characters.", "1." * 500 + "1")
_store_under(
    "store_with_two_uids",
    "Store an instance with one UID in the command, another within.",
    INSTANCES[0].uid,
    FOREIGN.uid,
)


@behaviour(GET)
def store_without_data_set(talk: Conversation, request: Request) -> None:
    """Send a C-STORE request that announces no data set."""
    context_id, _ = talk.storage_context()
    elements = {**talk.store_elements(INSTANCES[0]), COMMAND_DATA_SET_TYPE: us(NO_DATA_SET)}
    talk.say(context_id, elements)
    talk.wait_for_responses(1)
    talk.final(request, completed=1)


@behaviour(GET)
def store_of_no_bytes(talk: Conversation, request: Request) -> None:
    """Store an instance whose data set is empty."""
    context_id, _ = talk.storage_context()
    talk.say(context_id, talk.store_elements(INSTANCES[0]), b"")
    talk.wait_for_responses(1)
    talk.final(request, completed=1)


@behaviour(GET)
def store_of_noise(talk: Conversation, request: Request) -> None:
    """Store an instance whose data set cannot be read."""
    context_id, _ = talk.storage_context()
    talk.say(context_id, talk.store_elements(INSTANCES[0]), b"\xde\xad\xbe\xef" * 512)
    talk.wait_for_responses(1)
    talk.final(request, completed=1)


@behaviour(GET)
def same_instance_twice(talk: Conversation, request: Request) -> None:
    """Store the same instance twice, and count two."""
    talk.store(request, INSTANCES[0])
    talk.store(request, INSTANCES[0])
    talk.final(request, completed=2)


@behaviour(GET)
def same_uid_other_bytes(talk: Conversation, request: Request) -> None:
    """Store two instances of one UID with other pixels."""
    talk.store(request, INSTANCES[0])
    talk.store(request, INSTANCES[0], pixels=b"others" * 20)
    talk.final(request, completed=2)


@behaviour(GET)
def same_message_id_twice(talk: Conversation, request: Request) -> None:
    """Store two instances under one Message ID, one after another."""
    for instance in INSTANCES[:2]:
        talk.store(request, instance, changes={MESSAGE_ID: us(5)})
    talk.final(request, completed=2)


@behaviour(GET)
def stores_without_waiting(talk: Conversation, request: Request) -> None:
    """Send all C-STOREs without waiting for a response, which no window allows."""
    for instance in INSTANCES:
        talk.store(request, instance, wait=False)
    talk.wait_for_responses(len(INSTANCES))
    talk.final(request, completed=len(INSTANCES))


@behaviour(GET)
def final_before_store_response(talk: Conversation, request: Request) -> None:
    """Send Success before the response to the C-STORE has been read."""
    talk.store(request, INSTANCES[0], wait=False)
    talk.final(request, completed=1)
    talk.wait_for_responses(1)


@behaviour(GET)
def stores_after_final(talk: Conversation, request: Request) -> None:
    """Send Success, and then C-STOREs."""
    talk.final(request, completed=3)
    for instance in INSTANCES:
        talk.store(request, instance, wait=False)


@behaviour(GET)
def stores_for_ever(talk: Conversation, request: Request) -> None:
    """Store instances without an end, each under another UID, whatever comes."""
    number = 0
    while True:
        number += 1
        talk.store(request, INSTANCES[0], uid=f"1.2.3.{number}")


@behaviour(GET)
def store_without_end(talk: Conversation, request: Request) -> None:
    """Send one data set for ever."""
    context_id, _ = talk.storage_context()
    talk.say(context_id, talk.store_elements(INSTANCES[0]))
    while True:
        talk.send(pdu(P_DATA_TF, pdv(context_id, 0, bytes(LONGEST_PDV))))


@behaviour(GET)
def store_that_stops_halfway(talk: Conversation, request: Request) -> None:
    """Send half a data set, and fall silent."""
    _half_a_store(talk, request)
    talk.drain()


@behaviour(GET)
def abort_within_store(talk: Conversation, request: Request) -> None:
    """Store one instance, send half of the second, and abort."""
    talk.store(request, INSTANCES[0])
    _half_a_store(talk, request)
    talk.send_abort()
    talk.drain()


@behaviour(GET)
def close_within_store(talk: Conversation, request: Request) -> None:
    """Store one instance, send half of the second, and close the connection."""
    talk.store(request, INSTANCES[0])
    _half_a_store(talk, request)
    talk.half_close()
    talk.drain()


@behaviour(GET)
def final_within_store(talk: Conversation, request: Request) -> None:
    """Send half a data set, and the final response where the other half is due."""
    _half_a_store(talk, request)
    talk.final(request, completed=1)
    talk.drain()


def _half_a_store(talk: Conversation, request: Request) -> None:
    context_id, explicit = talk.storage_context()
    talk.say(context_id, talk.store_elements(INSTANCES[1]))
    half = stock.encode(INSTANCES[1].attributes(), explicit=explicit)[:100]
    talk.send(pdu(P_DATA_TF, pdv(context_id, 0, half)))


@behaviour(GET)
def abort_after_two_stores(talk: Conversation, request: Request) -> None:
    """Store two instances, and abort."""
    for instance in INSTANCES[:2]:
        talk.store(request, instance)
    talk.send_abort()
    talk.drain()


@behaviour(GET)
def silence_after_two_stores(talk: Conversation, request: Request) -> None:
    """Store two instances, and fall silent."""
    for instance in INSTANCES[:2]:
        talk.store(request, instance)
    talk.drain()


@behaviour(GET)
def compressed_bytes_on_uncompressed_context(talk: Conversation, request: Request) -> None:
    """Store encapsulated pixel data on a context of an uncompressed transfer syntax."""
    context_id, explicit = talk.storage_context()
    values = stock.encode(INSTANCES[0].attributes()[:-1], explicit=explicit)
    fragments = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0\xff\xd8\xff\xd9\xfe\xff\xdd\xe0\0\0\0\0"
    pixels = stock.element(stock.PIXEL_DATA, "OB", fragments, stock.UNDEFINED, explicit=explicit)
    talk.say(context_id, talk.store_elements(INSTANCES[0]), values + pixels)
    talk.wait_for_responses(1)
    talk.final(request, completed=1)


# --- counts and lists that are wrong; of a C-MOVE too, which stores nothing here ---


def _claims(
    name: str,
    says: str,
    status: int,
    counts: Counts,
    *,
    stores: int = 1,
    uids: list[str] | None = None,
    changes: Mapping[int, bytes | None] | None = None,
) -> None:
    """Enter a behaviour that stores so many instances (for C-GET), and then claims something about them."""

    def act(talk: Conversation, request: Request) -> None:
        for instance in INSTANCES[: stores if request.operation == GET else 0]:
            talk.store(request, instance)
        identifier = None if uids is None else failed_uids(request, uids)
        talk.respond_to(request, status, identifier, counts, changes)

    act.__name__, act.__doc__ = name, says
    behaviour(GET, MOVE)(act)


_claims("counts_too_high", "Store one instance, and say that five were completed.", SUCCESS, (None, 5, 0, 0))
_claims("counts_too_low", "Store three instances, and say that one was completed.", SUCCESS, (None, 1, 0, 0), stores=3)
_claims("counts_absent", "Store one instance, and count nothing in the final response.", SUCCESS, NOTHING)
_claims(
    "counts_of_65535",
    "Say that 65535 sub-operations were completed, failed and warned of.",
    SUCCESS,
    (None, 65535, 65535, 65535),
)
_claims("remaining_in_success", "Say Success with sub-operations that remain.", SUCCESS, (2, 1, 0, 0))
_claims("success_with_failures", "Say Success with two failed sub-operations.", SUCCESS, (None, 1, 2, 0))
_claims(
    "success_with_nothing_stored", "Say that three were completed, and store none.", SUCCESS, (None, 3, 0, 0), stores=0
)
_claims(
    "warning_with_nothing_completed",
    "Say B000H with nothing completed, nothing stored.",
    WARNING_STATUS,
    (None, 0, 3, 0),
    stores=0,
)
_claims("warning_without_counts", "Say B000H without counts.", WARNING_STATUS, NOTHING)
_claims("warning_without_failures", "Say B000H with warnings, and nothing failed.", WARNING_STATUS, (None, 0, 0, 1))
_claims(
    "all_failed_though_stored", "Store three instances, and say that all failed.", ALL_FAILED, (None, 0, 3, 0), stores=3
)
_claims("failure_without_counts", "Say A702H without counts.", ALL_FAILED, NOTHING, stores=0)
_claims(
    "failed_list_repeats",
    "List one failed UID a thousand times.",
    WARNING_STATUS,
    (None, 1, 1, 0),
    uids=["1.2.3"] * 1000,
)
_claims(
    "failed_list_of_others", "List failed UIDs of another study.", WARNING_STATUS, (None, 1, 1, 0), uids=[FOREIGN.uid]
)
_claims(
    "failed_list_of_stored",
    "List an instance as failed that was stored.",
    WARNING_STATUS,
    (None, 0, 1, 0),
    uids=[INSTANCES[0].uid],
)
_claims(
    "failed_list_with_paths",
    "List failed UIDs that are paths.",
    WARNING_STATUS,
    (None, 1, 1, 0),
    uids=["../../etc/passwd", ""],
)
_claims(
    "failed_list_in_success",
    "Say Success with a list of failed UIDs.",
    SUCCESS,
    (None, 1, 0, 0),
    uids=[INSTANCES[1].uid],
)
_claims(
    "failed_list_too_short",
    "Say that two failed, and list one.",
    WARNING_STATUS,
    (None, 1, 2, 0),
    uids=[INSTANCES[1].uid],
)
_claims("count_of_four_bytes", "Send a count of four bytes.", SUCCESS, NOTHING, changes={0x1021: b"\1\0\0\0"})


@behaviour(GET, MOVE)
def counts_that_go_back(talk: Conversation, request: Request) -> None:
    """Send pending responses whose counts grow and shrink without sense."""
    pending: list[Counts] = [(1, 2, 0, 0), (9, 0, 5, 0), (0, 0, 0, 0), (65535, 1, 1, 1)]
    for counts in pending:
        talk.respond_to(request, PENDING, counts=counts)
    talk.final(request, completed=0)


@behaviour(GET, MOVE)
def pending_with_data_set(talk: Conversation, request: Request) -> None:
    """Send pending responses with a list of failed UIDs, which they must not have."""
    for number in range(2):
        talk.respond_to(request, PENDING, failed_uids(request, ["1.2.3"]), (1 - number, number, 0, 0))
    talk.final(request, completed=0)


@behaviour(GET, MOVE)
def failed_list_of_16_mib(talk: Conversation, request: Request) -> None:
    """Send a final response with an identifier of 16 MiB."""
    value = stock.element(0x00291010, "UN", bytes(16 * MEBIBYTE), explicit=request.explicit)
    talk.respond_to(request, WARNING_STATUS, value, (None, 1, 1, 0))


@behaviour(GET)
def success_after_refused_stores(talk: Conversation, request: Request) -> None:
    """Store three instances, and say Success with three completed, however they were answered."""
    for instance in INSTANCES:
        talk.store(request, instance)
    talk.final(request, completed=3)

"""Attacks by the course of a conversation: cancellations, peers that do not read, aborts, wrong identities (PS3.7 9.3, PS3.8)."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from tests.faulty_peer import AFFECTED_SOP_CLASS_UID, COMMAND_DATA_SET_TYPE, COMMAND_FIELD, us
from tests.hostile_scu import ABORT, RELEASE_RQ, p_data
from tests.interop.evil import stock
from tests.interop.evil.conversation import COMMAND, LAST
from tests.interop.evil.raw_scu import MODELS
from tests.interop.evil_scu.attacker import ENDED, EVERYTHING, STUDY_KEYS, Attacker, cancel_of, encoded, raw_ui
from tests.interop.evil_scu.registry import attack, enter
from tests.interop.evil_scu.victim import Victim, sockets

# A query for everything whose responses have some 2 KB each.
WIDE = encoded((*EVERYTHING[:2], *((0x00186000 + 2 * number, "US", b"") for number in range(240)), EVERYTHING[2]))
FINAL = ("0000H", "FE00H", "A702H", "B000H")
OPERATIONS = ("find", "get", "move")


def _keys(operation: str) -> bytes:
    return encoded(EVERYTHING if operation == "find" else STUDY_KEYS)


# ---- C-CANCEL


def _cancel_before(operation: str, victim: Victim) -> None:
    """Verify that a C-CANCEL before its request is not answered."""
    with victim.attacker() as scu:
        scu.say_cancel(operation)
        scu.say(operation, _keys(operation))
        status = scu.answer()[0]
        assert status in FINAL or status.startswith(ENDED), status


def _cancel_directly_behind(operation: str, victim: Victim) -> None:
    """Verify that a C-CANCEL in one segment with its request counts, and there is one final response."""
    with victim.attacker() as scu:
        scu.send(scu.request_of(operation, _keys(operation)) + cancel_of(operation))
        assert scu.answer()[0] in FINAL
        scu.send(scu.echo_of(2))
        assert scu.answer() == ("0000H", 0)


def _cancel_within(operation: str, victim: Victim) -> None:
    """Verify that a C-CANCEL after the first response, again and again, is answered once."""
    with victim.attacker() as scu:
        scu.say(operation, _keys(operation))
        scu.line()
        scu.say_cancel(operation, times=50)
        assert scu.answer()[0] in FINAL
        scu.send(scu.echo_of(2))
        assert scu.answer() == ("0000H", 0)


def _cancel_after(operation: str, victim: Victim) -> None:
    """Verify that a C-CANCEL after the final response, or of a message ID that was never there, is not answered."""
    with victim.attacker() as scu:
        scu.say(operation, _keys(operation))
        assert scu.answer()[0] in FINAL
        scu.say_cancel(operation, times=3)
        scu.say_cancel(operation, message_id=777, times=3)
        scu.send(scu.echo_of(2))
        assert scu.answer() == ("0000H", 0)


def _cancel_another(operation: str, victim: Victim) -> None:
    """Verify that a C-CANCEL of another message ID does not end an operation."""
    with victim.attacker() as scu:
        scu.send(scu.request_of(operation, _keys(operation)) + cancel_of(operation, 9))
        assert scu.answer()[0] in ("0000H", "A702H", "B000H")


for cancel in (_cancel_before, _cancel_directly_behind, _cancel_within, _cancel_after, _cancel_another):
    for operation in OPERATIONS:
        enter(f"{cancel.__name__[1:]}_{operation}", partial(cancel, operation))


@attack
def cancel_a_hundred_thousand_times(victim: Victim) -> None:
    """Verify that a flood of C-CANCELs is read, and ends in an answer or in an abort."""
    with victim.attacker() as scu:
        scu.say("find", _keys("find"))
        scu.say_cancel("find", times=20_000)
        status = scu.answer()[0]
        assert status in FINAL or status.startswith(ENDED)


# ---- peers that do not read, or read slowly


@attack
def peers_that_do_not_read_matches(victim: Victim) -> None:
    """Verify that four peers that ask for everything, with wide responses, and never read are aborted."""
    attackers = [Attacker(victim.port) for _ in range(4)]
    for scu in attackers:
        scu.never_read()
        scu.greet()
        scu.socket.settimeout(1)
        with contextlib.suppress(OSError):
            scu.socket.sendall(b"".join(scu.request_of("find", WIDE, number) for number in range(1, 60)))
    _until_let_go(victim, attackers)


@attack
def peers_that_do_not_read_instances(victim: Victim) -> None:
    """Verify that twenty peers that ask for instances by C-GET and never answer them are aborted."""
    attackers = [Attacker(victim.port) for _ in range(20)]
    for scu in attackers:
        scu.never_read()
        scu.greet()
        scu.say("get", _keys("get"))
    _until_let_go(victim, attackers)


def _until_let_go(victim: Victim, attackers: list[Attacker]) -> None:
    """Wait until the archive has closed the connections of attackers, while it serves others."""
    end = time.monotonic() + 20
    while sockets(victim.listener.process.pid) > victim.sockets + len(attackers) // 2:
        assert time.monotonic() < end
        victim.is_well()
    for scu in attackers:
        scu.socket.close()


@attack
def a_peer_that_reads_byte_by_byte(victim: Victim) -> None:
    """Verify that a peer that reads a few bytes at a time gets what it asked for, or is aborted."""
    with Attacker(victim.port) as scu:
        scu.never_read()
        scu.greet()
        scu.say("find", _keys("find"))
        scu.socket.settimeout(5)
        with contextlib.suppress(OSError):
            for _ in range(400):
                if not scu.socket.recv(3):
                    break


@attack
def a_request_byte_by_byte(victim: Victim) -> None:
    """Verify that a request that comes in segments of one byte, with fragments of two bytes, is answered."""
    with victim.attacker() as scu:
        request = scu.request_of("find", encoded(STUDY_KEYS), longest=2)
        for at in range(len(request)):
            scu.send(request[at : at + 1])
        assert scu.answer() == ("0000H", 1)


@attack
def an_identifier_without_end(victim: Victim) -> None:
    """Verify that fragments without a last one are not kept without limit."""
    with victim.attacker() as scu:
        request = scu.request_of("find", bytes(16_000))
        scu.send(request[: request.index(b"\x04\0\0\0", 30) if b"\x04\0\0\0" in request[30:60] else 0])
        command = request[: len(request) - 16_000 - 12]
        scu.send(command + p_data(MODELS["find"][0], 0, bytes(16_000)) * 2_000)
        scu.send(p_data(MODELS["find"][0], LAST, b""))
        status, pending = scu.answer()
        assert pending == 0 and status != "0000H"


@attack
def identifiers_that_never_come(victim: Victim) -> None:
    """Verify that fifty requests whose identifier never comes are aborted after a while, and keep no other waiting."""
    attackers = [victim.attacker() for _ in range(50)]
    for number, scu in enumerate(attackers):
        request = scu.request_of(OPERATIONS[number % 3], encoded(STUDY_KEYS))
        scu.send(request[:-30])
    for scu in attackers:
        assert scu.answer()[0].startswith(ENDED)
        scu.socket.close()


# ---- aborts at each byte


def _aborted(operation: str, how: str, victim: Victim) -> None:
    """Verify that an association that ends at each point of a request, or while it is answered, costs no other anything."""
    request = b""
    with victim.attacker() as scu:
        request = scu.request_of(operation, encoded(STUDY_KEYS))
    for at in range(1, len(request) + 1, 3):
        scu = victim.attacker()
        scu.send(request[:at])
        if how == "abort":
            scu.send(ABORT)
        if how == "release":
            scu.send(RELEASE_RQ)
        if how == "reset":
            scu.reset()
        else:
            scu.socket.close()
    for number in range(8):
        scu = victim.attacker()
        scu.say(operation, encoded(STUDY_KEYS))
        for _ in range(number):
            scu.line(0.3)
        scu.reset()


for operation in OPERATIONS:
    for how in ("abort", "reset"):
        enter(f"{how}_at_each_byte_of_{operation}", partial(_aborted, operation, how))
enter("release_at_each_byte_of_find", partial(_aborted, "find", "release"))


# ---- commands


@attack
def requests_on_the_wrong_context(victim: Victim) -> None:
    """Verify that a request on the context of another SOP class is refused."""
    for operation in OPERATIONS:
        for other in OPERATIONS:
            if operation != other:
                with victim.attacker() as scu:
                    scu.say(operation, encoded(STUDY_KEYS), context_id=MODELS[other][0])
                    status, pending = scu.answer()
                    assert status != "0000H" and not pending, status


@attack
def requests_of_other_classes(victim: Victim) -> None:
    """Verify that a request that names another SOP class than its context is refused."""
    for uid in (b"1.2.840.10008.5.1.4.31", b"", b"\xff" * 64, b"9" * 5_000, b"1.2.840.10008.5.1.4.1.2.1.1"):
        with victim.attacker() as scu:
            scu.say("find", encoded(STUDY_KEYS), changes={AFFECTED_SOP_CLASS_UID: raw_ui(uid)})
            status, pending = scu.answer()
            assert status != "0000H" and not pending, (uid, status)


@attack
def requests_without_an_identifier(victim: Victim) -> None:
    """Verify that a request that announces no identifier is refused."""
    for operation in OPERATIONS:
        with victim.attacker() as scu:
            scu.say(operation, None)
            status, pending = scu.answer()
            assert status != "0000H" and not pending, status


@attack
def commands_of_nonsense(victim: Victim) -> None:
    """Verify that command sets of noise, of unknown fields and of responses end in an answer or an abort."""
    for field in (0x0000, 0x8020, 0x0FFE, 0xFFFF, 0x0110, 0x0140, 0x8001):
        with victim.attacker() as scu:
            scu.say("find", encoded(STUDY_KEYS), changes={COMMAND_FIELD: us(field)})
            scu.line(3)
    for noise in (b"\xff" * 500, bytes(500), b""):
        with victim.attacker() as scu:
            scu.send(p_data(MODELS["find"][0], COMMAND | LAST, noise))
            assert scu.answer()[0].startswith(ENDED)
    with victim.attacker() as scu:
        scu.say("find", encoded(STUDY_KEYS), changes={COMMAND_DATA_SET_TYPE: us(0xFFFF)})
        assert scu.answer() == ("0000H", 1)


@attack
def a_thousand_requests_without_waiting(victim: Victim) -> None:
    """Verify that a thousand queries in one go, all of one message ID, are answered, or the association ends."""
    with victim.attacker(seconds=60) as scu:
        request = scu.request_of("find", encoded(STUDY_KEYS))
        scu.send(request * 1_000)
        for _ in range(1_000):
            status = scu.answer()[0]
            if status.startswith(ENDED):
                break
            assert status in ("0000H", "0210H", "0213H"), status


# ---- identities and numbers


STRANGERS = (
    b"ELSEWHERE", b"SEALED", b"NOBODY", b"hostile", b"HOSTILE2", b"default", b"DEFAULT", b"' OR 1=1", b"\xff\xfe", b"*",
)  # fmt: skip


@attack
def wrong_identities(victim: Victim) -> None:
    """Verify that a peer that calls from another address, without TLS, or under an unknown title, may not query or
    retrieve.
    """
    for calling in STRANGERS:
        for operation in OPERATIONS:
            with Attacker(victim.port) as scu:
                answer = scu.greet(calling)
                if answer != "A-ASSOCIATE-AC":
                    continue
                scu.say(operation, encoded(STUDY_KEYS))
                status, pending = scu.answer()
                assert status != "0000H" and not pending and not scu.stored, (calling, operation, status)


@attack
def rights_of_a_limited_peer(victim: Victim) -> None:
    """Verify that a peer with the rights of find and move only neither stores nor gets, nor moves to others."""
    for operation in ("get", "move"):
        with Attacker(victim.port) as scu:
            assert scu.greet(b"LIMITED") == "A-ASSOCIATE-AC"
            scu.say(operation, encoded(STUDY_KEYS), destination=b"HOSTILE")
            status = scu.answer()[0]
            assert status == "0124H" or status.startswith(ENDED), status
            assert not scu.stored
    with Attacker(victim.port) as scu:
        scu.greet(b"LIMITED")
        one = stock.INSTANCES[0]
        status = scu.store_and_read(encoded(one.attributes("1.2.3.4.5")), b"1.2.3.4.5")
        assert status == "0124H" or status.startswith(ENDED), status


@attack
def associations_without_number(victim: Victim) -> None:
    """Verify that three hundred connections from one address, idle or half open, leave room for others."""
    attackers = []
    for number in range(300):
        scu = Attacker(victim.port, seconds=5)
        if number % 2:
            scu.send(b"\1\0\0\0")
        elif number < 200:
            scu.greet()
        attackers.append(scu)
    victim.is_well()
    for scu in attackers:
        scu.socket.close()

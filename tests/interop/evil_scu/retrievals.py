"""Attacks by C-MOVE: to destinations that are not known, that misbehave, and in great numbers (PS3.4 C.4.2)."""

from __future__ import annotations

from functools import partial

from tests.faulty_peer import A_ASSOCIATE_RJ, Connection, pdu
from tests.interop.evil.stock import INSTANCES
from tests.interop.evil_scu.attacker import ENDED, STUDY_KEYS, encoded
from tests.interop.evil_scu.registry import attack, enter
from tests.interop.evil_scu.victim import Victim, honest

UNKNOWN_DESTINATION, UNABLE = "A801H", "A702H"
IDENTIFIER = encoded(STUDY_KEYS)
TITLES = (
    b"UNKNOWN", b"", b" " * 16, b"\0" * 16, b"' OR 1=1 --", b"127.0.0.1:104", b"\xff\xfe", b"\x1b[2J\n", b"A" * 5_000, b"*",
    b"hostile", b"default", b"DEFAULT", b"HOSTILE\\D1",
)  # fmt: skip


@attack
def move_to_titles_that_are_none(victim: Victim) -> None:
    """Verify that a destination that is not configured is A801H, whatever its name."""
    for title in TITLES:
        with victim.attacker() as scu:
            scu.say("move", IDENTIFIER, destination=title)
            status, pending = scu.answer()
            assert status in (UNKNOWN_DESTINATION, "0115H", "0212H", "C000H") or status.startswith(ENDED), (
                title,
                status,
            )
            assert not pending


@attack
def move_to_a_peer_without_tls(victim: Victim) -> None:
    """Verify that a destination that is to be called by TLS gets nothing without it."""
    with victim.attacker() as scu:
        scu.say("move", IDENTIFIER, destination=b"SEALED")
        assert scu.answer()[0] != "0000H"


@attack
def move_by_the_hundred(victim: Victim) -> None:
    """Verify that two hundred C-MOVEs from forty associations are all answered, and deliver all."""
    title = victim.next_destination(honest)
    attackers = [victim.attacker(seconds=90) for _ in range(40)]
    for number in range(1, 6):
        for scu in attackers:
            scu.say("move", IDENTIFIER, number, destination=title)
        for scu in attackers:
            assert scu.answer()[0] == "0000H"
    for scu in attackers:
        scu.socket.close()
    assert sum(connection.data_sets for connection in victim.destination.connections) == 200 * len(INSTANCES)


@attack
def move_by_the_hundred_to_nobody(victim: Victim) -> None:
    """Verify that a hundred C-MOVEs to a destination that is away are answered, and soon it is not called any more."""
    attackers = [victim.attacker(seconds=60) for _ in range(40)]
    for scu in attackers:
        scu.say("move", IDENTIFIER, destination=b"HOSTILE")
    for scu in attackers:
        assert scu.answer()[0] == UNABLE
        scu.socket.close()
    with victim.attacker() as scu:
        for number in range(1, 61):
            scu.say("move", IDENTIFIER, number, destination=b"HOSTILE")
            assert scu.answer()[0] == UNABLE


@attack
def moves_of_requestors_that_leave(victim: Victim) -> None:
    """Verify that thirty requestors that go while their destination hangs leave nothing behind."""
    title = victim.next_destination(_hangs)
    for _ in range(30):
        scu = victim.attacker()
        scu.say("move", IDENTIFIER, destination=title)
        scu.reset()
    with victim.attacker() as scu:
        scu.say("move", IDENTIFIER, destination=victim.next_destination(honest))
        assert scu.answer()[0] == "0000H"


# ---- hostile destinations


def _hangs(connection: Connection) -> None:
    connection.read_request()
    connection.stall(20)


def _never_answers(connection: Connection) -> None:
    connection.accept()
    connection.read_message()
    connection.stall(20)


def _noise(connection: Connection) -> None:
    connection.read_request()
    connection.send(bytes(range(256)) * 100)


def _http(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _huge(connection: Connection) -> None:
    connection.read_request()
    connection.send(pdu(2, b"", 0xFFFFFFFF) + bytes(1 << 20))


def _rejects(connection: Connection) -> None:
    connection.read_request()
    connection.send(pdu(A_ASSOCIATE_RJ, bytes([0, 1, 1, 7])))


def _answers_twice(connection: Connection) -> None:
    connection.accept()
    while True:
        message = connection.read_message()
        connection.respond(message)
        connection.respond(message)


def _never_reads(connection: Connection) -> None:
    connection.accept()
    connection.stall(20)


def _slow_release(connection: Connection) -> None:
    connection.accept()
    for _ in INSTANCES:
        connection.respond(connection.read_message())
    connection.stall(20)


def _tiny_pdus(connection: Connection) -> None:
    connection.accept(maximum_length=8)
    connection.serve()


def _another_message_id(connection: Connection) -> None:
    connection.accept()
    while True:
        connection.respond(connection.read_message(), changes={0x0120: b"\x99\x99"})


def _dribbles(connection: Connection) -> None:
    connection.read_request()
    connection.dribble(connection.associate_ac(), 1)
    connection.serve()


def _to_hostile(behaviour: str, victim: Victim) -> None:
    """Verify that a C-MOVE to a hostile destination ends in an honest answer."""
    act = HOSTILE[behaviour]
    with victim.attacker() as scu:
        scu.say("move", IDENTIFIER, destination=victim.next_destination(act))
        status = scu.answer()[0]
        if behaviour != "answers_twice":
            assert status == ("0000H" if behaviour in TAKING else UNABLE), status


HOSTILE = {
    act.__name__[1:]: act
    for act in (
        _hangs, _never_answers, _noise, _http, _huge, _rejects, _answers_twice, _never_reads, _slow_release, _tiny_pdus,
        _another_message_id, _dribbles,
    )
}  # fmt: skip
# Those that take every instance.
TAKING = ("slow_release", "tiny_pdus", "dribbles")

for name in HOSTILE:
    enter(f"move_to_one_that_{name}", partial(_to_hostile, name))

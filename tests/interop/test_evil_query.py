"""Each behaviour of the evil SCP sends what it says, as an SCU by hand sees it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import pytest

from dimse.testing import StorageSCP
from tests.faulty_peer import items
from tests.interop.evil.raw_scu import MODELS, RawSCU
from tests.interop.evil.stock import EXPLICIT, FOREIGN, IMPLICIT, INSTANCES, SERIES
from tests.interop.evil.transcripts import ASSOCIATIONS, MOVED, TRANSCRIPTS
from tests.interop.evil_query import BEHAVIOURS, EvilSCP, serve

# How long nothing has to come for a peer to count as silent.
MUTE = 0.05

CASES = [(name, operation) for name in TRANSCRIPTS for operation in BEHAVIOURS[name].operations]

RESPONSE = re.compile(r"([0-9A-F]{4}H)( without counts| [-/0-9]+)?( \+)?( [0-9].*)?")


def steps(name: str, operation: str) -> list[str]:
    """Return the steps of a transcript that are due for an operation."""
    uids = {"{1}": INSTANCES[0].uid, "{2}": INSTANCES[1].uid, "{foreign}": FOREIGN.uid}
    transcript = TRANSCRIPTS[name]
    for placeholder, uid in uids.items():
        transcript = transcript.replace(placeholder, uid)
    found = [step.strip() for step in transcript.split("| ") if step.strip()]
    return [step for step in found if not (operation == "move" and step.startswith("store "))]


def follow(scu: RawSCU, step: str, operation: str) -> None:
    """Take one step of a transcript: do it, or see that the peer does."""
    if step == "cancel":
        scu.cancel(operation)
    elif step == "released":
        scu.release()
        assert scu.line() == "A-RELEASE-RP"
    elif step == "mute":
        scu.release()
        assert scu.line(MUTE) == "silence"
    elif step.startswith("until "):
        wanted = f"C-{operation.upper()}-RSP {step.removeprefix('until ')} to 1"
        while not (line := scu.line()).startswith(wanted):
            assert line not in ("closed", "a torn PDU")
    elif step == "half a PDU":
        assert scu.peek(6)[:1] == b"\4"
    elif step.startswith("pending"):
        answered = int(step.removeprefix("pending").removeprefix(" to ") or 1)
        expect_response(scu, operation, "FF00H + 76 bytes" if operation == "find" else "FF00H 2/1/0/0", answered)
    elif step.startswith("store "):
        uid = INSTANCES[int(step.removeprefix("store ")) - 1].uid
        assert scu.line() == f"C-STORE-RQ {uid} with data set"
        assert scu.line().startswith("data set of")
    elif RESPONSE.fullmatch(step):
        expect_response(scu, operation, step)
    else:
        line = scu.line()
        assert line.removeprefix(f"C-{operation.upper()}-").startswith(step), line


def expect_response(scu: RawSCU, operation: str, step: str, answered: int = 1) -> None:
    """Read a response, and the data set that the step announces."""
    found = RESPONSE.fullmatch(step)
    assert found is not None
    status, counts, announces, size = found.groups()
    line = scu.line()
    start = f"C-{operation.upper()}-RSP {status} to {answered}"
    assert line.startswith(start), line
    rest = line.removeprefix(start).removesuffix(" with data set" if announces else "\n")
    assert ("with data set" in line) is bool(announces), line
    assert "odd length" not in line
    if counts == " without counts":
        assert not re.search(r" [-0-9]+/", rest), line
    elif counts:
        assert counts in rest, line
    if size:
        assert scu.line() == f"data set of{size}"


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "operation"), CASES)
def test_a_behaviour_sends_what_its_transcript_says(name: str, operation: str) -> None:
    with StorageSCP() as destination, serve(name, operation, destination=destination.port) as scp:
        with RawSCU(scp.port) as scu:
            assert scu.ask_for_association() == "A-ASSOCIATE-AC"
            scu.ask(operation)
            for step in steps(name, operation):
                follow(scu, step, operation)
        if name in MOVED and name != "move_never_releases":
            wait_for_deliveries(scp)
        uids = [FOREIGN.uid if number == 0 else f"{SERIES}.{number}" for number in MOVED.get(name, [])]
        if name in MOVED:
            assert sorted(destination.sop_instance_uids) == sorted(uids)
    assert [request.operation for request in scp.requests] == [operation]


def wait_for_deliveries(scp: EvilSCP) -> None:
    """Wait until the conversation is over, and with it what it delivers."""
    assert scp.wait(10.0)


@pytest.mark.parametrize("name", ASSOCIATIONS)
def test_an_association_is_answered_as_its_behaviour_says(name: str) -> None:
    with serve(name, "find") as scp, RawSCU(scp.port) as scu:
        scu.send(scu.association_request())
        assert ASSOCIATIONS[name] in answer(scu)


def answer(scu: RawSCU) -> str:
    """Return the answer to an A-ASSOCIATE-RQ in a line."""
    line = scu.line(0.3)
    if line != "A-ASSOCIATE-AC":
        return line
    results, others = [], []
    for kind, content in items(scu.acceptance[68:]):
        if kind == 0x21:
            syntaxes = [uid.decode("ascii") for _, uid in items(content[4:])]
            results.append(" ".join([str(content[0]), str(content[2]), *syntaxes]).strip())
        elif kind == 0x50:
            others = [(sub, inside) for sub, inside in items(content)]
    lengths = [f"maximum length {struct.unpack('>I', inside)[0]}" for sub, inside in others if sub == 0x51]
    described = [f"{sub:#x} of {len(inside)} bytes" for sub, inside in others]
    return "; ".join([line, ", ".join(results), *lengths, *described])


@pytest.mark.parametrize("operation", MODELS)
@pytest.mark.parametrize("transfer_syntax", [IMPLICIT, EXPLICIT])
def test_an_operation_that_is_not_the_behaviours_is_answered_honestly(operation: str, transfer_syntax: str) -> None:
    other = "find" if operation == "get" else "get"
    with serve("silence", other) as scp, RawSCU(scp.port, transfer_syntax=transfer_syntax) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        scu.ask(operation)
        while not (line := scu.line()).startswith(f"C-{operation.upper()}-RSP 0000H to 1"):
            assert line.startswith(("C-STORE-RQ", "data set of", f"C-{operation.upper()}-RSP FF00H to 1")), line
        assert len(scu.stored) == (3 if operation == "get" else 0)
        scu.release()
        assert scu.line() == "A-RELEASE-RP"


def test_a_cancel_is_on_record() -> None:
    with serve("cancel_answered_twice", "find") as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        scu.ask("find")
        for step in steps("cancel_answered_twice", "find"):
            follow(scu, step, "find")
        assert scp.cancels == [1]


def test_the_statuses_of_c_store_responses_are_on_record() -> None:
    with serve("success_after_refused_stores") as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        scu.ask("get")
        for step in steps("success_after_refused_stores", "get"):
            follow(scu, step, "get")
        assert scp.store_statuses == [0, 0, 0]


def check_stored(first: Callable[[bytes], bool], name: str) -> None:
    with serve(name) as scp, RawSCU(scp.port) as scu:
        assert scu.ask_for_association() == "A-ASSOCIATE-AC"
        scu.ask("get")
        for step in steps(name, "get"):
            follow(scu, step, "get")
        assert first(scu.stored[0])


def test_a_store_with_two_uids_has_another_one_within() -> None:
    check_stored(
        lambda data: FOREIGN.uid.encode() in data and INSTANCES[0].uid.encode() + b"\x08" not in data,
        "store_with_two_uids",
    )


def test_every_behaviour_has_a_transcript() -> None:
    assert set(TRANSCRIPTS) | set(ASSOCIATIONS) == set(BEHAVIOURS)
    assert set(MOVED) <= set(TRANSCRIPTS)


def test_every_behaviour_says_what_it_does_in_a_sentence() -> None:
    assert all(re.fullmatch(r"[A-Z].{10,120}\.", behaviour.says) for behaviour in BEHAVIOURS.values())


def test_there_are_at_least_eighty_behaviours_for_each_operation() -> None:
    for operation in MODELS:
        assert sum(operation in behaviour.operations for behaviour in BEHAVIOURS.values()) >= 80

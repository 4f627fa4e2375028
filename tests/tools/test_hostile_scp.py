"""storescu and echoscu against SCPs that break off, lie, stall or talk nonsense: honest exit status, one clear fault.

Every case runs the real tool in a process of its own against a `FaultyPeer`; a few at a time, as most of them wait.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pydicom
import pydicom.data
import pytest

from tests import faulty_peer as scp
from tests.faulty_peer import Behaviour, Connection, FaultyPeer, item, pdu, pdv, ui, us

DEADLINE = 1.0  # seconds: every timeout of the tool
# Seconds: no case may take longer, the start of the interpreter included.
HARD_LIMIT = 8.0
AT_ONCE = 6  # cases
# A copy: threads start the tools, and pytest changes the environment of this process meanwhile.
ENVIRONMENT = dict(os.environ)

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
NONSENSE = b"\0\1\2\3" * 8
UNKNOWN_PDU = pdu(0x99, b"garbage")
UNKNOWN_ITEM = item(0x77, bytes(60 * 1024))

# Which A-ABORT may come: its source, or None for no A-ABORT.
Sources = frozenset[int | None]
NO_ABORT, PROVIDER, ABORT, WHATEVER = Sources({None}), Sources({2}), Sources({0, 2}), Sources({None, 0, 2})

# The first E: lines.
VANISHED = ("Association Aborted",)
CLOSED_AT_ONCE = ("Peer closed the connection without an answer", "Perhaps it wants TLS .*")
LATE_AC = ("ACSE timeout reached while waiting for response to association request",)
LATE_RESPONSE = ("DIMSE timeout reached while waiting for message response",)
INVALID_AC = ("Received an invalid A-ASSOCIATE response from the peer",)
INVALID_RESPONSE = ("Received an invalid {service} response from the peer",)
CLOSED = ("Connection closed while waiting for DIMSE message",)
BROKEN = ("Connection closed.*",)
NETWORK = ("Network timeout reached",)
REFUSED = ("No accepted presentation contexts",)
SOMETHING = (".+",)

BOTH, STORE, ECHO = ("storescu", "echoscu"), ("storescu",), ("echoscu",)
SERVICE = {"storescu": "C-STORE", "echoscu": "C-ECHO"}


@dataclass(frozen=True)
class Case:
    """A behaviour, and what the tool has to make of it.

    Attributes:
        words: What must occur somewhere in the E: lines, whatever the case of its letters.
        status: The exit status: 1 without an association, 3 for what goes wrong with one.
        errors: What the first E: lines match; none at all for success.
        abort: The sources of A-ABORT that are right, None among them where none has to be sent.
        objects: How many files to store, or echoes to ask for.
        file: The file to store.
        received: How many whole requests the SCP gets; None where that is a matter of timing.
        waits: The tool takes its time-out, not less.
        goes_on: The association may end before the second file has gone out. A lost association costs no file that had not gone
            out: the file then goes on another one, and all is well.
    """

    name: str
    behaviour: Behaviour
    words: str = ""
    status: int = 0
    errors: tuple[str, ...] = ()
    abort: Sources = NO_ABORT
    tools: tuple[str, ...] = BOTH
    objects: int = 1
    file: str = "ct"
    received: int | None = None
    waits: bool = False
    goes_on: bool = False


# ---- behaviours, put together of steps

REQUEST, ACCEPT, MESSAGE = Connection.read_request, Connection.accept, Connection.read_message
SERVE, CLOSE, RESET, HALF_CLOSE = Connection.serve, Connection.close, Connection.reset, Connection.half_close


def steps(*acts: Behaviour) -> Behaviour:
    """Return the behaviour of these acts, one after another."""

    def behaviour(connection: Connection) -> None:
        for act in acts:
            act(connection)

    return behaviour


def sends(data: bytes) -> Behaviour:
    return lambda connection: connection.send(data)


def aborts(source: int, reason: int) -> Behaviour:
    return lambda connection: connection.send_abort(source, reason)


def stalls(seconds: float) -> Behaviour:
    return lambda connection: connection.stall(seconds)


def responds(status: int = 0, context: int | None = None, **changes: bytes | None) -> Behaviour:
    """Answer the last message with these command elements changed (their names are those of `faulty_peer`)."""
    numbered = {getattr(scp, name): value for name, value in changes.items()}
    return lambda connection: connection.respond(connection.messages[-1], status, numbered, context)


def serves(status: int) -> Behaviour:
    return steps(ACCEPT, lambda connection: connection.serve(status))


def answers(data: bytes) -> Behaviour:
    """Send this for an A-ASSOCIATE-AC."""
    return steps(REQUEST, sends(data))


def accepts(
    contexts: Callable[[Connection], list[tuple[int, int, str]]] | None = None,
    maximum_length: int | None = 16384,
    padding: bytes = b"",
    seconds: float = 0,
) -> Behaviour:
    """Send this A-ASSOCIATE-AC, byte by byte where it takes `seconds`, and be a good SCP from there on."""

    def step(connection: Connection) -> None:
        accept = connection.associate_ac(maximum_length, contexts(connection) if contexts else None, padding)
        if seconds:
            connection.dribble(accept, seconds)
        else:
            connection.send(accept)

    return steps(REQUEST, step, SERVE)


def instead(*acts: Behaviour) -> Behaviour:
    """Do this instead of answering the first message."""
    return steps(ACCEPT, MESSAGE, *acts)


def between(*acts: Behaviour) -> Behaviour:
    """Do this after the answer to the first message."""
    return instead(responds(), *acts)


def at_release(*acts: Behaviour) -> Behaviour:
    """Do this for an A-RELEASE-RP."""
    return between(Connection.read_pdu, *acts)


def stops_reading(*acts: Behaviour) -> Behaviour:
    """Read some of a long data set, then no more, and do this; what was under way is read when the tool has ended."""
    return steps(ACCEPT, *[Connection.read_pdu] * 20, *acts, stalls(HARD_LIMIT))


def respond_twice(connection: Connection) -> None:
    connection.send(connection.response(connection.messages[-1]) * 2)


def respond_in_another_context(connection: Connection) -> None:
    message = connection.messages[-1]
    other = next(found.context_id for found in connection.contexts if found.context_id != message.context_id)
    connection.respond(message, context_id=other)


def respond_slowly(connection: Connection) -> None:
    connection.dribble(connection.response(connection.messages[-1]), 5 * DEADLINE)


def respond_in_single_bytes(connection: Connection) -> None:
    """Command fragments of one byte each, four to a PDU, each PDU in two pieces."""
    message = connection.messages[-1]
    command = connection.response(message)[12:]
    last = len(command) - 1
    fragments = [pdv(message.context_id, 3 if at == last else 1, bytes([byte])) for at, byte in enumerate(command)]
    for at in range(0, len(fragments), 4):
        whole = pdu(scp.P_DATA_TF, b"".join(fragments[at : at + 4]))
        connection.send(whole[:9])
        connection.send(whole[9:])


def fragments(control: int, content: bytes, times: int = 1) -> Behaviour:
    """Send fragments in the context of the last message."""

    def step(connection: Connection) -> None:
        fragment = pdu(scp.P_DATA_TF, pdv(connection.messages[-1].context_id, control, content))
        for _ in range(times):
            connection.send(fragment)

    return step


# ---- the cases

no_answer = partial(Case, status=1, errors=CLOSED_AT_ONCE)
NO_ANSWER = [
    Case("never answers the request", REQUEST, "", 1, LATE_AC, ABORT, waits=True),
    no_answer("closes before the request", CLOSE),
    no_answer("resets before the request", RESET),
    no_answer("closes instead of an answer", steps(REQUEST, CLOSE)),
    no_answer("resets instead of an answer", steps(REQUEST, RESET)),
    no_answer("half-closes instead of an answer", steps(REQUEST, HALF_CLOSE), abort=WHATEVER),
    no_answer(
        "closes within its answer",
        steps(REQUEST, sends(pdu(scp.A_ASSOCIATE_AC, bytes(70), 200)[:50]), CLOSE),
        abort=WHATEVER,
    ),
    Case("aborts for an answer, as user", steps(REQUEST, aborts(0, 0)), "", 1, VANISHED),
    Case("aborts for an answer, as provider", steps(REQUEST, aborts(2, 2)), "", 1, VANISHED),
]


def foreign(name: str, sent: bytes, shown: str) -> Case:
    what = f" \\(it sent '{shown}.*'\\)" if shown else ", but TLS: both sides have to speak it, or none"
    line = f"Association request failed: the peer does not speak DICOM{what}"
    return Case(f"speaks {name}", answers(sent), "", 1, (line,), PROVIDER)


FOREIGN = [
    foreign("HTTP", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", r"HTTP/1\.1 400"),
    foreign("SSH", b"SSH-2.0-OpenSSH_9.2\r\n", r"SSH-2\.0-Open"),
    foreign("TLS", bytes.fromhex("15030300020228"), ""),
    foreign("zeros", bytes(1000), r"\\x00\\x00"),
    foreign("ones", b"\xff" * 1000, r"\\xff\\xff"),
    foreign("an unknown PDU type", pdu(0x55, bytes(4)), r"U\\x00"),
]

REJECTIONS = {  # PS3.8 Table 9-21
    (1, "Service User"): {
        1: "No reason given",
        2: "Application context name not supported",
        3: "Calling AE title not recognised",
        7: "Called AE title not recognised",
    },
    (2, "Service Provider (ACSE)"): {1: "No reason given", 2: "Protocol version not supported"},
    (3, "Service Provider (Presentation)"): {1: "Temporary congestion", 2: "Local limit exceeded"},
}
REJECTED = [
    Case(
        f"rejects, {result} {source} {reason}",
        answers(pdu(scp.A_ASSOCIATE_RJ, bytes([0, result, source, reason]))),
        status=1,
        errors=("Association Rejected", re.escape(f"Result: {how}, Source: {who}"), f"Reason: {why}"),
        tools=BOTH if reason == 1 else STORE,
    )
    for result, how in ((1, "Rejected Permanent"), (2, "Rejected Transient"))
    for (source, who), reasons in REJECTIONS.items()
    for reason, why in reasons.items()
]

no_context = partial(Case, status=1, errors=REFUSED, abort=Sources({None, 0}))
NO_CONTEXT = [
    no_context("refuses all contexts, 1", accepts(lambda connection: connection.each(1)), "user"),
    no_context("refuses all contexts, 2", accepts(lambda connection: connection.each(2)), "no reason"),
    no_context("refuses all contexts, 3", accepts(lambda connection: connection.each(3)), "abstract syntax"),
    no_context("refuses all contexts, 4", accepts(lambda connection: connection.each(4)), "transfer syntax"),
    no_context("mentions no context", accepts(lambda connection: [])),
]

invalid_ac = partial(Case, status=1, errors=INVALID_AC, abort=ABORT)
unexpected = partial(Case, status=1, errors=INVALID_AC, abort=PROVIDER)
UNKNOWN_CONTEXT = [(99, 0, "1.2.840.10008.1.2")]
ACCEPTANCES = [
    # Peers as they are (docs/tolerance.md): these four lost the association once. Now the answer that is wrong costs what it is
    # about, and the exit status stays 1 where no context is left.
    no_context("accepts context 99 alone", accepts(lambda connection: UNKNOWN_CONTEXT), "No Reason Given"),
    Case("accepts context 99 too", accepts(lambda connection: connection.each(0) + UNKNOWN_CONTEXT), received=1),
    Case("accepts contexts twice", accepts(lambda connection: connection.each(0) * 2), received=1),
    no_context(
        "accepts a foreign syntax",
        accepts(lambda connection: connection.each(0, JPEG_BASELINE)),
        "Accepted, but not with one of these",
    ),
    invalid_ac(
        "accepts and refuses a context", accepts(lambda connection: connection.each(0) + connection.each(3)), "twice"
    ),
    invalid_ac("accepts in 300 KiB", accepts(padding=UNKNOWN_ITEM * 5)),
    invalid_ac("accepts with an item longer than the PDU", accepts(padding=item(0x21, b"", 99))),
    unexpected("announces 2^32-1 bytes", answers(pdu(scp.A_ASSOCIATE_AC, bytes(70), 0xFFFFFFFF))),
    unexpected("rejects in five bytes", answers(pdu(scp.A_ASSOCIATE_RJ, bytes([0, 1, 1, 1, 0])))),
    unexpected("sends data for an answer", answers(pdu(scp.P_DATA_TF, pdv(1, 3, NONSENSE)))),
    unexpected("asks for release for an answer", answers(pdu(scp.A_RELEASE_RQ, bytes(4)))),
    unexpected("asks for an association itself", answers(pdu(scp.A_ASSOCIATE_RQ, bytes(68)))),
    Case("omits the last context", accepts(lambda connection: connection.each(0)[:-1]), tools=STORE, received=1),
    Case("accepts in 120 KiB", accepts(padding=UNKNOWN_ITEM * 2), received=1),
    Case("dribbles its answer in time", accepts(seconds=DEADLINE / 4), received=1),
    Case("dribbles its answer too slowly", accepts(seconds=5 * DEADLINE), "", 1, LATE_AC, ABORT, waits=True),
]

MAXIMUM_LENGTHS = [
    Case(f"maximum length {length}", accepts(maximum_length=length), "maximum length", 1, SOMETHING, WHATEVER)
    for length in (1, 6, 7)
] + [
    Case(f"maximum length {length}", accepts(maximum_length=length), file="tiny", received=1)
    for length in (0, 8, 9, 127, 4096, 0xFFFFFFFF, None)
]

invalid = partial(Case, status=3, errors=INVALID_RESPONSE, abort=ABORT)
late = partial(Case, status=3, errors=LATE_RESPONSE, abort=ABORT, waits=True)
NO_UIDS = responds(AFFECTED_SOP_CLASS_UID=None, AFFECTED_SOP_INSTANCE_UID=None)
ANNOUNCED = responds(COMMAND_DATA_SET_TYPE=us(1))
RESPONSES = [
    Case("answers late, within the limit", instead(stalls(DEADLINE / 2), responds(), SERVE), received=1),
    Case("answers in single bytes", instead(respond_in_single_bytes, SERVE), received=1),
    Case("names no UIDs in the response", instead(NO_UIDS, SERVE), received=1),
    late("never answers the message", instead(), received=1),
    late("answers too slowly", instead(respond_slowly)),
    Case("sends empty fragments for ever", instead(fragments(1, b"", 1 << 30)), "", 3, SOMETHING, WHATEVER),
    invalid("a context ID never proposed", instead(responds(context=201)), "context"),
    invalid("another accepted context", instead(respond_in_another_context), "context", tools=STORE),
    invalid("the wrong message ID", instead(responds(MESSAGE_ID_BEING_RESPONDED_TO=us(4711))), "4711"),
    invalid("no message ID", instead(responds(MESSAGE_ID_BEING_RESPONDED_TO=None))),
    invalid("the wrong command field", instead(responds(COMMAND_FIELD=us(0x8020))), "C-FIND|8020"),
    invalid("an unknown command field", instead(responds(COMMAND_FIELD=us(0x9234))), "9234"),
    invalid("no command field", instead(responds(COMMAND_FIELD=None))),
    invalid("another SOP class UID", instead(responds(AFFECTED_SOP_CLASS_UID=ui("1.2.3.4"))), "SOP class"),
    invalid(
        "another SOP instance UID", instead(responds(AFFECTED_SOP_INSTANCE_UID=ui("1.2.3"))), "instance", tools=STORE
    ),
    invalid("no status", instead(responds(STATUS=None)), "status"),
    invalid("a status of four bytes", instead(responds(STATUS=bytes(4))), "status"),
    invalid("a response with a data set", instead(ANNOUNCED, fragments(2, NONSENSE)), "data set"),
    invalid("nonsense for a command set", instead(fragments(3, NONSENSE))),
    invalid("two responses to one request", instead(respond_twice), objects=2, goes_on=True),
]

# What breaks the upper layer's rules once the association stands.
fault = partial(Case, status=3, errors=SOMETHING, abort=PROVIDER)
TOO_LONG = responds(ERROR_COMMENT=b"x" * 20000)
PROTOCOL = [
    fault("a P-DATA-TF above our maximum length", instead(TOO_LONG), "length|long|large|bytes"),
    fault("a P-DATA-TF of 2^32-1 bytes", instead(sends(pdu(4, bytes(20), 0xFFFFFFFF))), "length|long|large|bytes"),
    fault("a P-DATA-TF of no bytes", instead(sends(pdu(4, b"")))),
    fault("a PDV of no bytes", instead(sends(pdu(4, pdv(1, 3, bytes(14), 0))))),
    fault("a PDV of one byte", instead(sends(pdu(4, pdv(1, 3, bytes(14), 1))))),
    fault("a PDV longer than its PDU", instead(sends(pdu(4, pdv(1, 3, bytes(14), 40))))),
    fault("a PDV of 2^32-1 bytes", instead(sends(pdu(4, pdv(1, 3, bytes(14), 0xFFFFFFFF))))),
    fault("an unknown PDU type", instead(sends(UNKNOWN_PDU)), "PDU"),
    fault("an unknown PDU type between objects", between(sends(UNKNOWN_PDU)), "PDU", objects=2, goes_on=True),
    fault("garbage between objects", between(sends(b"\xde\xad\xbe\xef" * 100)), "PDU", objects=2, goes_on=True),
    fault("an A-RELEASE-RP without a request", instead(sends(pdu(scp.A_RELEASE_RP, bytes(4))))),
    fault("an A-RELEASE-RQ of five bytes", instead(sends(pdu(scp.A_RELEASE_RQ, bytes(5))))),
    fault("a late A-ASSOCIATE-RJ", instead(sends(pdu(scp.A_ASSOCIATE_RJ, bytes([0, 1, 1, 1]))))),
    fault("a second A-ASSOCIATE-AC", instead(lambda connection: connection.send(connection.associate_ac()))),
]

aborted = partial(Case, words="abort", status=3, errors=SOMETHING)
lost = partial(Case, status=3, errors=BROKEN, abort=WHATEVER)
within = partial(Case, status=3, tools=STORE, file="long", received=0)
RELEASED = instead(Connection.send_release_request)
LOSSES = [
    aborted("aborts between objects, as user", between(aborts(0, 0)), objects=2, goes_on=True),
    aborted("aborts between objects, as provider", between(aborts(2, 6)), objects=2, goes_on=True),
    aborted("aborts instead of a response, as user", instead(aborts(0, 0)), received=1),
    aborted("aborts instead of a response, as provider", instead(aborts(2, 0)), received=1),
    lost("closes after its acceptance", steps(ACCEPT, CLOSE)),
    lost("resets after its acceptance", steps(ACCEPT, RESET)),
    lost("half-closes after its acceptance", steps(ACCEPT, HALF_CLOSE)),
    lost("closes instead of a response", instead(CLOSE), errors=CLOSED),
    lost("resets instead of a response", instead(RESET), errors=CLOSED),
    lost("half-closes instead of a response", instead(HALF_CLOSE), errors=CLOSED),
    lost("closes within a response", instead(sends(pdu(4, pdv(1, 3, NONSENSE, 190), 200)), CLOSE), errors=CLOSED),
    lost("closes between objects", between(CLOSE), objects=2, goes_on=True),
    lost("resets between objects", between(RESET), objects=2, goes_on=True),
    lost("half-closes between objects", between(HALF_CLOSE), objects=2, goes_on=True),
    Case("asks for release instead of a response", RELEASED, "release", 3, SOMETHING, WHATEVER, received=1),
    within("aborts within a data set", stops_reading(aborts(0, 0)), "abort", errors=SOMETHING),
    within("closes within a data set", steps(ACCEPT, *[Connection.read_pdu] * 20, CLOSE), errors=BROKEN),
    within("stops reading within a data set", stops_reading(), errors=NETWORK, abort=WHATEVER, waits=True),
]

FAILURES = ((0xA700, "Failure"), (0xA900, "Failure"), (0xC000, "Failure"), (0x0122, "Failure"), (0xFE00, "Cancel"))
for_each = partial(Case, tools=STORE, objects=2, received=2)
STATUSES = [
    *[
        for_each(
            f"{status:04X} for each", serves(status), "", 3, (f"Store failed: .*: 0x{status:04X} - {category}: .+",)
        )
        for status, category in FAILURES
    ],
    *[
        Case(f"status {status:04X}", serves(status), f"0x{status:04X}", 3, SOMETHING, tools=ECHO, received=1)
        for status in (0x0122, 0x0211, 0xC000)
    ],
    *[for_each(f"warning {status:04X} for each", serves(status)) for status in (0xB000, 0xB006, 0xB007)],
]

# All that was requested succeeds, however the peer ends the association.
RELEASE_COLLISION = (Connection.send_release_request, Connection.read_pdu, Connection.send_release_response)
RELEASES = [
    Case("never answers the release", at_release(), abort=ABORT, received=1, waits=True),
    Case("closes instead of a release response", at_release(CLOSE), received=1),
    Case("resets instead of a release response", at_release(RESET), received=1),
    Case("aborts instead of a release response", at_release(aborts(0, 0)), received=1),
    Case("asks for release at the same time", at_release(*RELEASE_COLLISION), received=1),  # PS3.8 9.2.2
]

ASSOCIATING = [*NO_ANSWER, *FOREIGN, *REJECTED, *NO_CONTEXT, *ACCEPTANCES, *MAXIMUM_LENGTHS]
ASSOCIATED = [*RESPONSES, *PROTOCOL, *LOSSES, *STATUSES, *RELEASES]
CASES = {f"{tool}: {case.name}": (tool, case) for case in ASSOCIATING + ASSOCIATED for tool in case.tools}
GROUPS = [
    NO_ANSWER,
    FOREIGN,
    REJECTED,
    NO_CONTEXT,
    ACCEPTANCES,
    MAXIMUM_LENGTHS,
    RESPONSES,
    PROTOCOL,
    LOSSES,
    STATUSES,
    RELEASES,
]
# What associates is the same for both tools.
SAMPLE = {f"storescu: {case.name}" for group in GROUPS for case in group[-2:]}


# ---- running them


@dataclass(frozen=True)
class Outcome:
    """The result of a run of a tool; `status` is None if it had to be killed."""

    status: int | None
    stdout: str
    stderr: str
    seconds: float
    paths: Sequence[str]
    connections: Sequence[Connection]


def command(tool: str, port: int, paths: Sequence[str], objects: int) -> list[str]:
    what = list(paths) if tool == "storescu" else ["--repeat", str(objects)]
    limits = [argument for option in ("-ta", "-td", "-tn", "-to") for argument in (option, f"{DEADLINE:g}")]
    return [sys.executable, "-m", "dimse", tool, "127.0.0.1", str(port), *what, *limits]


def run(tool: str, case: Case, files: dict[str, str]) -> Outcome:
    paths = [files[case.file], files["mr"]][: case.objects]
    peer = FaultyPeer(case.behaviour)
    with peer as port:
        started = time.monotonic()
        try:
            done = subprocess.run(
                command(tool, port, paths, case.objects),
                capture_output=True,
                text=True,
                timeout=HARD_LIMIT,
                check=False,
                env=ENVIRONMENT,
            )
            status, stdout, stderr = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            status, stdout, stderr = None, "", ""
        seconds = time.monotonic() - started
    return Outcome(status, stdout, stderr, seconds, paths, peer.connections)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the files to store: two as pydicom ships them, one of a few bytes, one of 16 MiB."""
    folder = tmp_path_factory.mktemp("files")
    made = {name: str(pydicom.data.get_testdata_file(f"{name.upper()}_small.dcm")) for name in ("ct", "mr")}
    data_set = pydicom.dcmread(made["ct"])
    for name, rows, columns in (("tiny", 8, 8), ("long", 4096, 2048)):
        data_set.Rows, data_set.Columns, data_set.PixelData = rows, columns, bytes(2 * rows * columns)
        data_set.save_as(folder / name)
        made[name] = str(folder / name)
    return made


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, files: dict[str, str]) -> Iterator[dict[str, Future[Outcome]]]:
    """Yield the run of each case that was selected, by its key in `CASES`."""
    here = [found for found in request.session.items if found.path == Path(__file__)]
    keys = [found.callspec.id for found in here if isinstance(found, pytest.Function) and hasattr(found, "callspec")]
    pool = ThreadPoolExecutor(AT_ONCE)
    yield {key: pool.submit(run, *CASES[key], files) for key in keys}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    "key",
    [pytest.param(key, id=key, marks=[pytest.mark.thorough] * (key not in SAMPLE)) for key in CASES],
)
def test_a_faulty_scp(key: str, outcomes: dict[str, Future[Outcome]]) -> None:
    tool, case = CASES[key]
    outcome = outcomes[key].result()
    if tool == "storescu" and case.goes_on and outcome.status == 0:
        assert outcome.stderr == ""
        assert [len(connection.messages) for connection in outcome.connections] == [1, 1]
        return
    check_tool(tool, case, outcome)
    assert len(outcome.connections) == 1, "it tried again without being asked to"
    check_record(case, outcome.connections[0])


def check_tool(tool: str, case: Case, outcome: Outcome) -> None:
    """Check the exit status, what was printed, and the time it took."""
    report = f"exit status {outcome.status} after {outcome.seconds:.1f} s\n{outcome.stderr}"
    assert outcome.status is not None, f"still running after {HARD_LIMIT} s"
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr, report
    assert outcome.status == case.status, report
    lines = outcome.stderr.splitlines()
    assert all(line.startswith("E: ") for line in lines), report
    assert bool(lines) == bool(case.errors), report
    for line, expected in zip(lines, case.errors, strict=False):
        assert re.fullmatch("E: (?:" + expected.replace("{service}", SERVICE[tool]) + ")", line), report
    assert re.search(case.words, outcome.stderr, re.IGNORECASE), report
    assert len(set(lines)) == len(lines) <= 8, report
    if case.status == 3 and tool == "storescu":
        assert outcome.paths[-1] in outcome.stderr, f"it does not say what has become of the last file\n{report}"
    if case.waits:
        assert outcome.seconds >= DEADLINE, report


def check_record(case: Case, connection: Connection) -> None:
    """Check what the SCP saw: a sound sequence of PDUs that ends as it should."""
    assert connection.faults == []
    assert (connection.abort[0] if connection.abort else None) in case.abort, connection.abort
    if case.status == 1:
        assert scp.P_DATA_TF not in connection.pdu_types
    if case.received is not None:
        assert len(connection.messages) == case.received
    if case.status == 0:
        assert scp.A_RELEASE_RQ in connection.pdu_types
        assert connection.torn == 0

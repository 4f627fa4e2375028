"""Messages that no peer should send, and the answer of the Standard: from either server and from storescp as a process.

Each probe is bytes and the answers to them in order, as `tests.hostile_scu` tells them. Where the association outlives the
probe, an echo and a release follow it. After each one, another peer's echo and store succeed.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from dimse.archive import FileStore
from tests.drivers import Face, serving
from tests.faulty_peer import (
    A_ABORT,
    A_ASSOCIATE_AC,
    A_ASSOCIATE_RJ,
    A_ASSOCIATE_RQ,
    A_RELEASE_RP,
    A_RELEASE_RQ,
    AFFECTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID,
    COMMAND_DATA_SET_TYPE,
    COMMAND_FIELD,
    MESSAGE_ID,
    MESSAGE_ID_BEING_RESPONDED_TO,
    NO_DATA_SET,
    P_DATA_TF,
    STATUS,
    item,
    pdu,
    pdv,
    ui,
    us,
)
from tests.hostile_scu import (
    ABORT,
    COMMAND,
    CONTEXTS,
    ECHO,
    EXPLICIT,
    IMPLICIT,
    LAST,
    RELEASE_RQ,
    STORE,
    UNKNOWN,
    USER_INFORMATION,
    VERIFICATION,
    HostileSCU,
    associate_rq,
    command,
    context,
    data_set,
    echo,
    echo_command,
    forget_peak,
    p_data,
    resident,
    store_command,
    works,
)
from tests.tools import running

# The maximum length that a server announces.
ANNOUNCED = 131072
MOST_GROWTH = 16 << 20  # bytes of memory, over all probes
# Bytes of a process: an allocation beyond them fails, and its log says so.
MOST_ADDRESSES = 256 << 20


@dataclass(frozen=True)
class Probe:
    """A probe: bytes, and the answers that they must get.

    `associated` is True if they come on an open association, which `request` asked for.
    """

    sent: bytes
    answers: list[str]
    associated: bool = False
    request: bytes | None = None

    @property
    def goes_on(self) -> bool:
        """True if the association stays open after it."""
        return self.associated and not any(answer.startswith("A-") for answer in self.answers)


def before(sent: bytes, *answers: str) -> Probe:
    """Return a probe in Sta2, where an A-ASSOCIATE-RQ is due."""
    return Probe(sent, list(answers))


def taken(sent: bytes) -> Probe:
    """Return a request in Sta2 that is accepted: an echo and a release follow it."""
    return Probe(b"", [], associated=True, request=sent)


def within(sent: bytes, *answers: str) -> Probe:
    """Return a probe in Sta6, between messages."""
    return Probe(sent, list(answers), associated=True)


def identity(primary: int, content: bytes) -> bytes:
    """User information with a user identity whose primary field says a length (PS3.7 D.3.3.7)."""
    return USER_INFORMATION + item(0x58, struct.pack(">BBH", 1, 0, primary) + content)


def commanded(changes: dict[int, bytes | None]) -> bytes:
    """Return a C-ECHO-RQ with a changed command set."""
    return p_data(ECHO, COMMAND | LAST, echo_command(7, changes))


def stored(changes: dict[int, bytes | None], encoded: bytes = b"") -> bytes:
    """Return a C-STORE-RQ with a changed command set, and its data set."""
    return p_data(STORE, COMMAND | LAST, store_command("1.2.99", 7, changes)) + p_data(STORE, LAST, encoded or DATA)


DATA = data_set("1.2.99")
STORE_RQ = p_data(STORE, COMMAND | LAST, store_command("1.2.99"))
ONE = CONTEXTS[:1]
UNRECOGNISED, UNEXPECTED, INVALID = "A-ABORT 2/1", "A-ABORT 2/2", "A-ABORT 2/6"
USER = "A-ABORT 0/0"

PROBES = {
    # Sta2: what is no DICOM, or not the first word (AA-1)
    "HTTP": before(b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", USER),
    "TLS": before(bytes.fromhex("16030100c8010000c40303") + bytes(194), USER),
    "SSH": before(b"SSH-2.0-OpenSSH_9.2\r\n", USER),
    "SMTP": before(b"EHLO mail.example.org\r\n", USER),
    "1 MiB of zeros": before(bytes(1 << 20), USER),
    "1 MiB of ones": before(b"\xff" * (1 << 20), USER),
    "PDU type 00": before(pdu(0x00, bytes(4)), USER),
    "PDU type 08": before(pdu(0x08, bytes(4)), USER),
    "release before association": before(RELEASE_RQ, USER),
    "release response before association": before(pdu(A_RELEASE_RP, bytes(4)), USER),
    "accept before association": before(pdu(A_ASSOCIATE_AC, bytes(68)), USER),
    "rejection before association": before(pdu(A_ASSOCIATE_RJ, bytes(4)), USER),
    "data before association": before(echo(), USER),
    "abort before association": before(ABORT),
    "request of 4 GiB": before(pdu(A_ASSOCIATE_RQ, b"", 0xFFFFFFFF), USER),
    "request of 256 KiB and a byte": before(pdu(A_ASSOCIATE_RQ, b"", (256 << 10) + 1), USER),
    "request of 0 bytes": before(pdu(A_ASSOCIATE_RQ, b""), USER),
    "one letter": before(b"G", USER),
    "the begin of a request of 8 MiB": before(b"\x01\0\0\x80", USER),
    # Sta2: a request that cannot be decoded (Evt19: AA-1). What is tolerated in one is in tests/test_tolerance.py.
    "no application context": before(associate_rq(application_context=None), USER),
    "no contexts": before(associate_rq([]), USER),
    "context ID 0": before(associate_rq([context(0, VERIFICATION, IMPLICIT)]), USER),
    "item longer than its PDU": before(associate_rq([item(0x20, b"\1\0\0\0", 0xFFFF)]), USER),
    "16,000 items that lie": before(associate_rq(ONE, user_information=item(0x54, b"", 65535) * 16000), USER),
    # Sta2: a request that is refused
    "user identity longer than its item": before(
        associate_rq(ONE, user_information=identity(0xFFFF, b"me")), "A-ASSOCIATE-RJ 1/1/1"
    ),
    "empty user identity": before(associate_rq(ONE, user_information=item(0x58, b"")), "A-ASSOCIATE-RJ 1/1/1"),
    # Sta2: a request with a fault that is tolerated: its own context is refused alone, or nothing comes of it
    "no user information": taken(associate_rq(user_information=None)),
    "even context ID": taken(associate_rq([*CONTEXTS, context(2, VERIFICATION, IMPLICIT)])),
    "context ID 0 beside others": taken(associate_rq([*CONTEXTS, context(0, VERIFICATION, IMPLICIT)])),
    "context without transfer syntax": taken(associate_rq([*CONTEXTS, context(7, VERIFICATION)])),
    "context without abstract syntax": taken(associate_rq([*CONTEXTS, item(0x20, b"\7\0\0\0" + item(0x40, b"1.2"))])),
    "maximum length of 3 bytes": taken(associate_rq(user_information=item(0x51, bytes(3)))),
    "one context twice in the same content": taken(associate_rq([*CONTEXTS, *ONE])),
    "another application context": before(associate_rq(application_context="1.2.3"), "A-ASSOCIATE-RJ 1/1/2"),
    "another protocol version": before(associate_rq(version=2), "A-ASSOCIATE-RJ 1/2/2"),
    "129 contexts": before(
        associate_rq(context(n % 128 * 2 + 1, VERIFICATION, IMPLICIT) for n in range(129)), "A-ASSOCIATE-RJ 1/2/1"
    ),
    "one context ID twice": before(associate_rq([*ONE, context(ECHO, VERIFICATION, EXPLICIT)]), "A-ASSOCIATE-RJ 1/2/1"),
    "empty calling AE title": before(associate_rq(calling=b""), "A-ASSOCIATE-RJ 1/1/3"),
    "calling AE title of NULs": before(associate_rq(calling=bytes(16)), "A-ASSOCIATE-RJ 1/1/3"),
    # Sta6: PDUs that are not due (AA-8)
    "PDU type FF": within(pdu(0xFF, bytes(4)), UNRECOGNISED),
    "PDU type 00 later": within(pdu(0x00, b""), UNRECOGNISED),
    "10,000 PDUs of a type that there is not": within(10_000 * pdu(0xFF, bytes(4)), UNRECOGNISED),
    "second request": within(associate_rq(), UNEXPECTED),
    "accept": within(pdu(A_ASSOCIATE_AC, bytes(68)), UNEXPECTED),
    "rejection": within(pdu(A_ASSOCIATE_RJ, bytes(4)), UNEXPECTED),
    "release response": within(pdu(A_RELEASE_RP, bytes(4)), UNEXPECTED),
    "accept instead of a data set": within(STORE_RQ + pdu(A_ASSOCIATE_AC, bytes(68)), UNEXPECTED),
    "release request of 0 bytes": within(pdu(A_RELEASE_RQ, b""), INVALID),
    "release request of 5 bytes": within(pdu(A_RELEASE_RQ, bytes(5)), INVALID),
    "abort of 4096 bytes": within(pdu(A_ABORT, bytes(4096)), INVALID),
    # Sta6: P-DATA-TF that cannot be
    "data of 4 GiB": within(pdu(P_DATA_TF, b"", 0xFFFFFFFF), INVALID),
    "data longer than announced": within(pdu(P_DATA_TF, b"", ANNOUNCED + 1), INVALID),
    "data without a PDV": within(pdu(P_DATA_TF, b""), INVALID),
    "PDV length 0": within(pdu(P_DATA_TF, pdv(ECHO, 3, b"", 0)), INVALID),
    "PDV length 1": within(pdu(P_DATA_TF, pdv(ECHO, 3, b"", 1)), INVALID),
    "PDV longer than its PDU": within(pdu(P_DATA_TF, pdv(ECHO, 3, b"xx", 5)), INVALID),
    "PDV of 4 GiB": within(pdu(P_DATA_TF, pdv(ECHO, 3, b"xx", 0xFFFFFFFF)), INVALID),
    "bytes behind the last PDV": within(pdu(P_DATA_TF, pdv(ECHO, COMMAND, b"xx") + b"\0\0\0"), INVALID),
    "20,000 empty PDVs": within(20000 * p_data(ECHO, COMMAND, b""), USER),
    "20,000 empty PDVs in few PDUs": within(20 * pdu(P_DATA_TF, 1000 * pdv(ECHO, COMMAND, b"")), USER),
    # Sta6: fragments where they do not belong
    "empty command set": within(p_data(ECHO, COMMAND | LAST, b""), USER),
    "command set without end": within(9 * p_data(ECHO, COMMAND, bytes(8192)), USER),
    "command on a context that was not proposed": within(p_data(77, COMMAND | LAST, echo_command()), USER),
    "command on a refused context": within(p_data(UNKNOWN, COMMAND | LAST, echo_command()), USER),
    "command on an even context": within(p_data(2, COMMAND | LAST, echo_command()), USER),
    "command on two contexts": within(p_data(ECHO, COMMAND, b"xx") + p_data(STORE, COMMAND | LAST, b"xx"), USER),
    "data set without a command": within(p_data(STORE, LAST, DATA), USER),
    "data set on another context": within(STORE_RQ + p_data(ECHO, LAST, DATA), USER),
    "command where a data set is due": within(STORE_RQ + echo(), USER),
    # Sta6: command sets
    "command set of other bytes": within(p_data(ECHO, COMMAND | LAST, b"\xff" * 100), USER),
    "response to nothing": within(
        commanded({COMMAND_FIELD: us(0x8030), MESSAGE_ID: None, MESSAGE_ID_BEING_RESPONDED_TO: us(1), STATUS: us(0)}),
        USER,
    ),
    "no message ID": within(commanded({MESSAGE_ID: None}), USER),
    "unknown command field": within(commanded({COMMAND_FIELD: us(0x7777)}), "F777H 0211H"),
    "unknown command field with a data set": within(
        p_data(STORE, COMMAND | LAST, store_command("1.2.99", 7, {COMMAND_FIELD: us(0x7777)}))
        + p_data(STORE, LAST, DATA),
        "F777H 0211H",
    ),
    "a service that is not there": within(
        p_data(
            ECHO,
            COMMAND | LAST,
            command({COMMAND_FIELD: us(0x0110), MESSAGE_ID: us(7), 0x0003: ui(VERIFICATION), 0x1001: ui("1.2")}),
        ),
        "8110H 0211H",
    ),
    "no SOP class": within(commanded({AFFECTED_SOP_CLASS_UID: None}), "C-ECHO-RSP 0212H"),
    "no SOP instance": within(stored({AFFECTED_SOP_INSTANCE_UID: None}), "C-STORE-RSP 0212H"),
    "a store without a data set": within(
        p_data(STORE, COMMAND | LAST, store_command("1.2.99", 7, {COMMAND_DATA_SET_TYPE: us(NO_DATA_SET)})),
        "C-STORE-RSP 0212H",
    ),
    "a UID of 4,000 bytes": within(stored({AFFECTED_SOP_INSTANCE_UID: b"9" * 4000}), "C-STORE-RSP 0212H"),
    "a message ID of 1 byte": within(commanded({MESSAGE_ID: b"\1"}), USER),
    "a cancel of nothing": within(
        commanded({COMMAND_FIELD: us(0x0FFF), MESSAGE_ID: None, MESSAGE_ID_BEING_RESPONDED_TO: us(1)})
    ),
    # Sta6: data sets
    "data set of another instance": within(stored({}, data_set("1.2.98")), "C-STORE-RSP A900H"),
    "data set of another SOP class": within(stored({AFFECTED_SOP_CLASS_UID: ui("1.2.3")}), "C-STORE-RSP A900H"),
    "data set without bytes": within(STORE_RQ + p_data(STORE, LAST, b""), "C-STORE-RSP A900H"),
    # A receiver that cannot read a data set says so: C000H (Cannot understand), no longer A900H (PS3.4 Table B.2-1).
    "data set of other bytes": within(stored({}, b"\xff" * 1000), "C-STORE-RSP C000H"),
    # Sta6: the end within a message
    "abort within a data set": within(STORE_RQ + p_data(STORE, 0, DATA) + ABORT),
    "release within a data set": within(STORE_RQ + p_data(STORE, 0, DATA) + RELEASE_RQ, "A-RELEASE-RP"),
}
# The peer has aborted, so nothing is answered.
ENDS_IN_SILENCE = {"abort before association", "abort within a data set"}


@dataclass
class Target:
    """A server that keeps what it gets in a folder of its own.

    Attributes:
        port: Its port on 127.0.0.1.
        folder: Its folder.
        log: What it has logged as a warning or worse, by line.
        kept: The instances that `verify_working` has sent.
        pid: Its process, where that is not ours.
    """

    port: int
    folder: Path
    log: list[str]
    kept: list[str] = field(default_factory=list)
    pid: int = 0

    def verify_working(self) -> None:
        """Check that another peer's echo and store succeed, and that the folder has what was kept and nothing else."""
        uid = f"1.2.826.0.1.{len(self.kept) + 1}"
        works(self.port, uid)
        self.kept.append(f"CT.{uid}")
        assert sorted(os.listdir(self.folder)) == sorted([".incoming", *self.kept])
        assert os.listdir(self.folder / ".incoming") == []


class Lines(logging.Handler):
    """A handler that collects what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def in_this_process(face: Face, folder: Path) -> Iterator[Target]:
    """Run a server of either face."""
    handler = Lines()
    logger = logging.getLogger("dimse")
    logger.addHandler(handler)
    try:
        with FileStore(folder, durability="none") as store, serving(face, store.handlers()) as port:
            yield Target(port, folder, handler.lines)
    finally:
        logger.removeHandler(handler)


@contextmanager
def as_a_process(folder: Path) -> Iterator[Target]:
    """Run `storescp`, which logs warnings and errors only, with no more memory than `MOST_ADDRESSES`."""
    ready = folder.with_name("ready")
    os.mkfifo(ready)
    options = ("-ba", "127.0.0.1", "-od", folder, "--durability", "none", "--ready-file", ready)
    # The system's allocator would set 64 MiB of addresses aside for each thread, which is no memory.
    with running.start("storescp", 0, *options, MALLOC_ARENA_MAX="1") as process:
        port = int(ready.read_text().rpartition(":")[2])
        if sys.platform == "linux":
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
        target = Target(port, folder, [], pid=process.pid)
        target.verify_working()
        base = resident(process.pid)
        yield target
        assert resident(process.pid) - base < MOST_GROWTH
        target.log += running.interrupt(process).splitlines()
        assert process.returncode == 0


def is_of_contexts(line: str) -> bool:
    """Return whether a line of the log is the notice of refused contexts, one of which every association here proposes."""
    return ": refused contexts of " in line


@pytest.fixture(scope="module", params=["threads", pytest.param("asyncio", marks=pytest.mark.thorough), "storescp"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Run one server for all probes; in the end, its log has at most one line a connection and no traceback.

    The notice of the contexts that were refused is not counted.
    """
    folder = tmp_path_factory.mktemp("target") / "kept"
    chosen: str = request.param
    with as_a_process(folder) if chosen == "storescp" else in_this_process(cast(Face, chosen), folder) as it:
        yield it
    lines = [line for line in it.log if not is_of_contexts(line)]
    addresses = [address for line in lines for address in line.split() if re.fullmatch(r"127\.0\.0\.1:\d+:?", address)]
    # Of so many connections two may have had one port.
    assert len(addresses) - len(set(addresses)) <= 2
    assert not [line for line in it.log if "Traceback" in line or "Memory" in line or not line.isprintable()]
    assert sorted(os.listdir(folder)) == sorted(it.kept)


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_answered_as_the_standard_says(target: Target, name: str) -> None:
    probe = PROBES[name]
    with HostileSCU(target.port) as scu:
        if probe.associated:
            scu.associate(probe.request)
        scu.send(probe.sent)
        expected = probe.answers
        if probe.goes_on and name not in ENDS_IN_SILENCE:
            scu.send(echo(8) + RELEASE_RQ)
            expected = [*expected, "C-ECHO-RSP 0000H", "A-RELEASE-RP"]
        assert scu.answers() == expected
    target.verify_working()


def test_there_are_enough_probes() -> None:
    assert len(PROBES) >= 40


@pytest.mark.parametrize("pdu_type", [A_ASSOCIATE_RQ, P_DATA_TF])
def test_a_length_that_is_declared_takes_no_memory(target: Target, pdu_type: int) -> None:
    """Nor do 100 MiB of the body of a PDU that has been refused."""
    pid = target.pid or os.getpid()
    chunk = bytes(1 << 20)
    base = forget_peak(pid)
    with HostileSCU(target.port) as scu:
        if pdu_type == P_DATA_TF:
            scu.associate()
        scu.send(pdu(pdu_type, b"", 0xFFFFFFFF))
        for _ in range(100):
            scu.send(chunk)
        # No answer at all: it has closed the connection while we sent.
        assert scu.answers() in ([USER], [INVALID], [])
    assert resident(pid, peak=True) - base < 1 << 20
    target.verify_working()


def test_a_thousand_bad_messages_are_not_a_thousand_lines(target: Target) -> None:
    before_it = len(target.log)
    with HostileSCU(target.port) as scu:
        scu.associate()
        for number in range(1000):
            scu.send(commanded({COMMAND_FIELD: us(0x7777), MESSAGE_ID: us(number)}))
            assert scu.read() == "F777H 0211H"
        scu.send(RELEASE_RQ)
        assert scu.answers() == ["A-RELEASE-RP"]
    assert len([line for line in target.log[before_it:] if not is_of_contexts(line)]) <= 1
    target.verify_working()

"""The log: the association that a line is about, one line for each event whatever a peer sends, and no data of a patient."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse import aio, logs, uids
from dimse.archive import FileStore
from dimse.services.handlers import EchoRequest, Handlers
from dimse.support.text import one_line
from dimse.tools import json_log
from tests import faulty_peer as scp
from tests import hostile_scu
from tests.archive import storing
from tests.archive.storing import ATTACKS
from tests.drivers import LOOPBACK, Face, on_both_faces, running, serving
from tests.faulty_peer import Connection, FaultyPeer
from tests.hostile_scu import ABORT, HostileSCU, associate_rq

# What breaks a log: lines of its own, terminals, formats.
INJECTIONS = (
    *ATTACKS,
    "two\nlines",
    "\r\nE: forged",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "%s%n%d%(name)s",
    "{0.__class__}{}",
    "\x85\u2028next",
    "\x00\x01\x7f\x9b",
    '"quoted", {"json": 1}',
)


def hostile(count: int) -> list[str]:
    """Return so many hostile strings as Latin-1: each of `INJECTIONS`, and mixtures of them."""
    chance = random.Random(11)
    mixed = ["".join(chance.choices(INJECTIONS, k=2))[chance.randrange(4) :] for _ in range(count - len(INJECTIONS))]
    return [text.encode("latin-1", "replace").decode("latin-1") for text in (*INJECTIONS, *mixed)]


@contextmanager
def logged(formatter: logging.Formatter, level: int = logging.DEBUG) -> Iterator[io.StringIO]:
    """Yield what the package logs meanwhile, as a tool would print it."""
    logger, stream = logging.getLogger("dimse"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield stream
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


TEXT = logging.Formatter("%(levelname).1s: %(message)s")


class Lines(logging.Handler):
    """A handler that counts the records."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


@contextmanager
def counted() -> Iterator[Lines]:
    lines = Lines()
    logging.getLogger("dimse").addHandler(lines)
    try:
        yield lines
    finally:
        logging.getLogger("dimse").removeHandler(lines)


# --- one line an event ---


@pytest.mark.thorough
@pytest.mark.parametrize("formatter", [TEXT, json_log.Formatter()], ids=["text", "json"])
def test_whatever_a_requestor_says_an_event_is_a_line(formatter: logging.Formatter, tmp_path: Path) -> None:
    cases = hostile(200)
    with (
        logged(formatter) as stream,
        counted() as events,
        FileStore(tmp_path, layout="{PatientID}/{CallingAETitle}/{SOPInstanceUID}") as store,
        serving(handlers=store.handlers(), require_called=False, accept_unknown=True) as port,
    ):
        for number, text in enumerate(cases):
            raw = text.encode("latin-1")
            information = (
                scp.item(0x51, b"\0\0\x40\0") + scp.item(0x52, raw[:64] or b"1") + scp.item(0x55, raw[:16] or b"v")
            )
            information += scp.item(0x58, b"\1\1" + len(raw).to_bytes(2, "big") + raw + b"\0\0")
            with HostileSCU(port) as scu:
                calling, called = raw[:16] or b"A", raw[-16:] or b"A"
                scu.send(associate_rq(calling=calling, called=called, user_information=information))
                if scu.read() == "A-ASSOCIATE-AC":
                    scu.send(hostile_scu.store(text[:64].encode("ascii", "replace").decode() or "1") + ABORT)
            # An empty UID is refused with the command set.
            if number % 4 == 0 and text:
                storing.keep(store, text)
    assert_lines(stream.getvalue(), events.count, formatter)


@pytest.mark.thorough
@pytest.mark.parametrize("formatter", [TEXT, json_log.Formatter()], ids=["text", "json"])
def test_whatever_an_acceptor_says_an_event_is_a_line(formatter: logging.Formatter) -> None:
    cases = iter(hostile(200))

    def behave(connection: Connection) -> None:
        raw = next(cases).encode("latin-1")
        connection.read_request()
        accept = connection.associate_ac()
        for said in (b"FAULTY_PEER", b"1.2.826.0.1.3680043.8.498.1"):
            accept = accept.replace(said, raw[: len(said)].ljust(len(said), b"1"))
        connection.send(accept)
        message = connection.read_message()
        connection.respond(message, 0x0110, {scp.ERROR_COMMENT: (raw + b" ")[:64][: len(raw) // 2 * 2 + 2]})
        connection.read_pdu()
        connection.send_release_response()

    with logged(formatter) as stream, counted() as events, FaultyPeer(behave) as port:
        for _ in range(200):
            try:
                with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification]) as association:
                    association.echo()
            except dimse.DimseError as error:
                logging.getLogger("dimse").error("%s", one_line(str(error)))
    assert_lines(stream.getvalue(), events.count, formatter)


def assert_lines(text: str, events: int, formatter: logging.Formatter) -> None:
    """Check that each event is a line, and that each line is printable and an event."""
    lines = text.split("\n")
    assert lines.pop() == ""
    assert len(lines) == events > 400
    assert all(line.isprintable() for line in lines)
    if formatter is TEXT:
        assert all(line[1:3] == ": " and line[0] in "DIWEC" for line in lines)
    else:
        assert all(isinstance(json.loads(line)["message"], str) for line in lines)
        assert text.isascii()


# --- which association ---


@on_both_faces
def test_a_line_says_of_which_association_it_is(face: Face) -> None:
    def answer(request: EchoRequest) -> int:
        logging.getLogger("dimse.mine").info("echoed")
        return 0

    with logged(json_log.Formatter(), logging.INFO) as stream, serving(face, Handlers(echo=answer)) as port:
        for title in ("ONE", "TWO"):
            with dimse.associate(
                LOOPBACK, port, contexts=[dimse.Verification], calling_ae_title=title, called_ae_title="HERE"
            ) as association:
                association.echo()
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    echoed = [entry for entry in entries if entry["logger"] == "dimse.mine"]
    assert [entry["calling_ae_title"] for entry in echoed] == ["ONE", "TWO"]
    assert all(entry["called_ae_title"] == "HERE" for entry in entries)
    assert all(entry["peer"].startswith(f"{LOOPBACK}:") for entry in echoed)
    assert len({entry["association"] for entry in entries}) == 4  # each is one for each side
    for number in {entry["association"] for entry in entries}:
        times = [entry["milliseconds"] for entry in entries if entry["association"] == number]
        assert times == sorted(times) and times[0] >= 0 and times[-1] < 30_000
    assert logs.ABOUT.get() is None


def test_associations_of_one_event_loop_are_told_apart() -> None:
    async def echo(port: int, title: str) -> None:
        async with aio.associate(LOOPBACK, port, contexts=[dimse.Verification], calling_ae_title=title) as association:
            for _ in range(3):
                await association.echo()
                await asyncio.sleep(0)

    async def scenario(port: int) -> None:
        await asyncio.gather(*(echo(port, f"A{number}") for number in range(5)))

    with serving() as port, logged(json_log.Formatter(), logging.INFO) as stream:
        asyncio.run(scenario(port))
    entries = [json.loads(line) for line in stream.getvalue().splitlines()]
    ours = [entry for entry in entries if entry["peer"] == f"{LOOPBACK}:{port}"]
    assert {entry["calling_ae_title"] for entry in ours} == {f"A{number}" for number in range(5)}
    for title in {entry["calling_ae_title"] for entry in ours}:
        messages = [entry["message"] for entry in ours if entry["calling_ae_title"] == title]
        assert messages[0] == "Requesting Association" and messages[-1] == "Releasing Association"
        assert sum("Sending Echo Request" in message for message in messages) == 3


@on_both_faces
def test_a_rejection_says_whom_it_rejects(face: Face) -> None:
    with (
        logged(json_log.Formatter(), logging.INFO) as stream,
        running(face, calling_ae_titles=["FRIEND"]) as server,
        pytest.raises(dimse.AssociationRejected),
    ):
        dimse.associate(LOOPBACK, server.address[1], contexts=[dimse.Verification], calling_ae_title="FOE")
    (rejected,) = [line for line in map(json.loads, stream.getvalue().splitlines()) if line["level"] == "WARNING"]
    assert (rejected["calling_ae_title"], rejected["called_ae_title"]) == ("FOE", "ANY-SCP")


def test_a_line_that_is_of_no_association_says_of_none() -> None:
    with logged(json_log.Formatter(), logging.INFO) as stream:
        logging.getLogger("dimse.mine").info("%s and %d", "one", 2)
    entry = json.loads(stream.getvalue())
    assert entry.keys() == {"time", "level", "logger", "message", "process"}
    assert (entry["level"], entry["logger"], entry["message"]) == ("INFO", "dimse.mine", "one and 2")
    assert len(entry["time"]) == len("2026-01-02T03:04:05.678Z") and entry["time"].endswith("Z")


def test_an_exception_is_on_the_same_line() -> None:
    with logged(json_log.Formatter()) as stream:
        try:
            raise ValueError("two\nlines")
        except ValueError as error:
            logging.getLogger("dimse.mine").debug("this", exc_info=error)
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


# --- patient data ---

PATIENT = {0x00100020: "PID-4711", 0x00200010: "STUDY-7"}
NAMED = "DOE"
LAYOUT = "{PatientID}/{StudyDate}-{AccessionNumber}/{StudyID}.{PatientName}.{SOPInstanceUID}"


def store_three(folder: Path) -> list[str]:
    """Store an instance, the same one again and another one of its name; what is in the folder."""
    with FileStore(folder, layout=LAYOUT, stored=fail) as store:
        for content in (b"DOE", b"DOE", b"DOE "):
            assert storing.keep(store, "1.2.3", content=content, others=PATIENT) == 0
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fail(stored: object) -> None:
    raise RuntimeError("no room")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.WARNING])
def test_nothing_of_a_patient_is_logged(level: int, tmp_path: Path) -> None:
    with logged(TEXT, level) as stream:
        files = store_three(tmp_path)
    assert len(files) >= 1 and "PID-4711" in files[0]
    for value in (*PATIENT.values(), NAMED):
        assert value not in stream.getvalue()
    shown = "{PatientID}/{StudyDate}-{AccessionNumber}/{StudyID}.{PatientName}.1.2.3"
    assert f"W: DICOM file already exists with the same data set: {shown}" in stream.getvalue()
    assert f"E: the call after storing {shown} failed: RuntimeError: no room" in stream.getvalue()


def test_it_is_logged_where_that_is_asked_for(tmp_path: Path) -> None:
    with logged(TEXT, logging.INFO) as stream:
        handler = logging.getLogger("dimse").handlers[-1]
        handler.setFormatter(logs.PrivateFormatter(handler.formatter))
        files = store_three(tmp_path)
    assert f"I: Storing DICOM file: {files[0]}" in stream.getvalue()


PRIVATE = logs.Private("Doe^Jane", "{PatientName}")


@pytest.mark.parametrize(
    ("message", "args"),
    [("%s", (PRIVATE,)), ("%s of %d", (PRIVATE, 3)), ("%(who)s", ({"who": PRIVATE, "number": 3},))],
    ids=["alone", "among others", "by name"],
)
@pytest.mark.parametrize(
    "formatter", [None, logging.Formatter("%(message)s"), json_log.Formatter()], ids=["none", "text", "JSON"]
)
def test_a_handler_that_shows_what_is_private_leaves_the_record_as_it_was(
    message: str, args: tuple[object, ...], formatter: logging.Formatter | None
) -> None:
    logger = logging.Logger("patients")
    streams = [io.StringIO() for _ in range(3)]
    for stream, shows in zip(streams, (False, True, False), strict=True):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logs.PrivateFormatter(formatter) if shows else formatter)
        logger.addHandler(handler)
    logger.info(message, *args)
    before, showing, behind = (stream.getvalue() for stream in streams)
    assert "Doe^Jane" in showing and "{PatientName}" not in showing
    assert "{PatientName}" in before and "Doe^Jane" not in before
    assert behind == before


def test_a_layout_without_patients_is_shown_as_it_is(tmp_path: Path) -> None:
    with logged(TEXT, logging.INFO) as stream, FileStore(tmp_path, layout="{CallingAETitle}/{SOPInstanceUID}") as store:
        storing.keep(store, "1.2.3")
    assert stream.getvalue() == "I: Storing DICOM file: MODALITY/1.2.3\n"


def test_what_is_private_shows_otherwise() -> None:
    assert str(logs.Private("Doe^Jane", "{PatientName}")) == "{PatientName}"
    assert uids.CTImageStorage  # a UID is not private

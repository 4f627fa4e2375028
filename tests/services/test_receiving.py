"""Leading elements of group 0002 in a data set that is received are dropped; all else goes on to its sink byte for byte."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.data_set.group_two import MAXIMUM_SIZE
from dimse.uids import TransferSyntax
from tests.archive.storing import names, stored_data_set
from tests.data_set.test_walk import BIG, DEFLATED, EXPLICIT, IMPLICIT, JPEG, deflate, element, head
from tests.hostile_scu import LAST, STORE, HostileSCU, associate_rq, context, p_data, store_command

CT = uids.CTImageStorage
UID = "1.2.34"
SENDER = "HOSTILE at 127.0.0.1"
PRIVATE = "1.2.840.113619.5.2"
COMMAND = 1


def stray(syntax: TransferSyntax) -> bytes:
    """Return what some programs leave in a data set: it says another transfer syntax and another instance."""
    return (
        element(0x00020001, b"OB", b"\0\1", syntax)
        + element(0x00020003, b"UI", b"9.9\0", syntax)
        + element(0x00020010, b"UI", b"1.2.840.10008.1.2.4.50", syntax)
    )


def whole(syntax: TransferSyntax) -> bytes:
    """Return a data set whose first elements are those that it should have, with an element of group 0002 behind them."""
    return (
        element(0x00080005, b"CS", b"ISO_IR 100", syntax)
        + element(0x00020013, b"SH", b"A 1 ", syntax)
        + head(syntax)
        + element(0x00100010, b"PN", b"Doe^John", syntax)
        + element(0x00291010, b"OB", b"x" * 100_000, syntax)
    )


@contextmanager
def sent_to(server: dimse.Server, syntax: str, *pieces: bytes) -> Iterator[str]:
    """Send a C-STORE-RQ whose data set comes in these fragments; give the answer, while the association stands."""
    with HostileSCU(server.address[1]) as scu:
        scu.associate(associate_rq([context(STORE, CT, syntax)]))
        fragments = [p_data(STORE, LAST * (number == len(pieces)), piece) for number, piece in enumerate(pieces, 1)]
        scu.send(p_data(STORE, COMMAND | LAST, store_command(UID)) + b"".join(fragments))
        yield scu.read()


def serving(handlers: dimse.Handlers) -> dimse.Server:
    return dimse.Server(("127.0.0.1", 0), handlers, transfer_syntaxes=["any"])


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, JPEG], ids=lambda syntax: uids.name(syntax.uid))
def test_they_are_dropped_before_the_file_and_nothing_else_is(
    syntax: TransferSyntax, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent = stray(syntax) + whole(syntax)
    with FileStore(tmp_path / "in") as store, serving(store.handlers()) as server:
        with sent_to(server, syntax.uid, sent[:1], sent[1:40], sent[40:]) as answer:
            assert answer == "C-STORE-RSP 0000H"
        with sent_to(server, syntax.uid, sent) as answer:  # the same again
            assert answer == "C-STORE-RSP 0000H"
    assert names(tmp_path / "in") == [f"CT.{UID}"]
    file = tmp_path / "in" / f"CT.{UID}"
    assert stored_data_set(file) == whole(syntax)
    meta = pydicom.dcmread(file, stop_before_pixels=True, force=True).file_meta
    assert (meta.TransferSyntaxUID, meta.MediaStorageSOPInstanceUID) == (syntax.uid, UID)
    told = [record for record in caplog.records if record.name == "dimse.notices"]
    assert [record.getMessage() for record in told] == [
        f"{UID} from {SENDER}: {len(stray(syntax))} bytes of elements of group 0002 led its data set and were dropped"
    ] * 2
    assert getattr(told[0], "notice", None) == ("127.0.0.1", "group 0002")


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT], ids=lambda syntax: uids.name(syntax.uid))
def test_wherever_the_data_set_is_cut_into_fragments(syntax: TransferSyntax) -> None:
    taken: list[bytes] = []

    def keep(request: dimse.StoreRequest) -> int:
        taken.append(bytes(request.view()))
        return 0

    sent = stray(syntax) + head(syntax)
    with serving(dimse.Handlers(store=keep)) as server:
        cuts = [[0, cut, len(sent)] for cut in range(1, len(sent))] + [list(range(len(sent) + 1))]
        for places in cuts:
            with sent_to(server, syntax.uid, *(sent[start:end] for start, end in pairwise(places))) as answer:
                assert answer == "C-STORE-RSP 0000H"
    assert taken == [head(syntax)] * len(cuts)


@pytest.mark.thorough
def test_a_deflated_data_set_that_would_fill_the_memory_is_not_decoded(caplog: pytest.LogCaptureFixture) -> None:
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    bomb = b"".join(compressor.compress(zeros) for _ in range(300)) + compressor.flush()

    def decode(request: dimse.StoreRequest) -> int:
        request.dataset()
        return 0

    deflated = uids.DeflatedExplicitVRLittleEndian
    pieces = [bomb[start : start + 100_000] for start in range(0, len(bomb), 100_000)]
    with serving(dimse.Handlers(store=decode)) as server, sent_to(server, deflated, *pieces) as answer:
        assert answer == "C-STORE-RSP 0110H"
    assert "the data set has more than 268,435,456 bytes when it is inflated" in caplog.text


def test_a_handler_and_its_sink_never_see_them(tmp_path: Path) -> None:
    seen: list[str] = []

    def keep(request: dimse.StoreRequest) -> int:
        request.move_to(tmp_path / "moved")
        seen.append(str(request.dataset().PatientName))
        seen.append(str(request.dataset().file_meta.TransferSyntaxUID))
        return 0

    sent = stray(EXPLICIT) + whole(EXPLICIT)
    with serving(dimse.Handlers(store=keep)) as server, sent_to(server, EXPLICIT.uid, sent) as answer:
        assert answer == "C-STORE-RSP 0000H"
    assert seen == ["Doe^John", EXPLICIT.uid]
    assert stored_data_set(tmp_path / "moved") == whole(EXPLICIT)


@pytest.mark.parametrize(
    ("syntax", "sent"),
    [
        (EXPLICIT.uid, whole(EXPLICIT)),
        (DEFLATED.uid, deflate(stray(EXPLICIT) + head())),
        (PRIVATE, stray(EXPLICIT) + head()),
        (EXPLICIT.uid, element(0x02000010, b"UI", b"1.2\0", EXPLICIT) + head()),
    ],
    ids=["later", "deflated", "private", "group 0200"],
)
def test_elsewhere_every_byte_is_kept(syntax: str, sent: bytes, tmp_path: Path) -> None:
    with (
        FileStore(tmp_path / "in") as store,
        serving(store.handlers()) as server,
        sent_to(server, syntax, sent) as answer,
    ):
        assert answer == "C-STORE-RSP 0000H"
    assert stored_data_set(tmp_path / "in" / f"CT.{UID}") == sent


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([stray(EXPLICIT)], "cut short: it ends before any element that is not of group 0002"),
        ([stray(EXPLICIT)[:-1]], "cut short: it ends before any element that is not of group 0002"),
        ([b"\2"], "cut short: it ends before any element that is not of group 0002"),
        (
            [element(0x00020001, b"OB", b"", EXPLICIT, 0xFFFFFFF0), b"x" * 1000, head()],
            "elements of group 0002 lead it, and do not end within 65,536 bytes",
        ),
        (
            [stray(EXPLICIT) * (MAXIMUM_SIZE // len(stray(EXPLICIT)) + 1), head()],
            "elements of group 0002 lead it, and do not end within 65,536 bytes",
        ),
    ],
)
@pytest.mark.parametrize("kept", [True, False], ids=["in a store", "by a handler"])
def test_what_has_nothing_else_is_refused(
    pieces: list[bytes], why: str, kept: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with FileStore(tmp_path / "in") as store:
        handlers = store.handlers() if kept else dimse.Handlers(store=lambda request: 0)
        with serving(handlers) as server, sent_to(server, EXPLICIT.uid, *pieces) as answer:
            assert answer == "C-STORE-RSP C000H"
    assert names(tmp_path / "in") == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        f"refused {UID} from {SENDER}: {why}"
    ]


def test_a_data_set_that_is_empty_has_no_uids(tmp_path: Path) -> None:
    with (
        FileStore(tmp_path / "in") as store,
        serving(store.handlers()) as server,
        sent_to(server, EXPLICIT.uid, b"") as answer,
    ):
        assert answer == "C-STORE-RSP A900H"

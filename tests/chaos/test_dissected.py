"""The conversations of real peers with us, recorded and dissected by tshark: it finds nothing wrong. And it does find faults.

The conversations are of every pair of an SCU and an SCP with ours as one of them, with both of our faces. They cover every transfer
syntax of pydicom's files; maximum lengths of 4096, 16384, 131072 bytes and unlimited; releases, aborts of either side, and
rejections. Asynchronous operations are not among them.
"""

from __future__ import annotations

import asyncio
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import dimse
from dimse import aio, uids
from tests.chaos.dissector import A_ABORT, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RP, INCOMPLETE, P_DATA_TF, dissect
from tests.chaos.pcap import PORT, Pcap, packets
from tests.chaos.proxy import Proxy
from tests.drivers import Face, make_instance, serving
from tests.faulty_peer import item, pdu, pdv
from tests.files import Part10File, PydicomFiles
from tests.hostile_scu import IMPLICIT, VERIFICATION, associate_rq, context, echo
from tests.interop import ours, peers
from tests.tools import running

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(120)]

MAXIMUM_LENGTHS = (4096, 16384, 131072, 0)
FACES: tuple[Face, ...] = ("threads", "asyncio")
OF_EACH_TRANSFER_SYNTAX = 3  # files, the smallest ones
LEAST = 200  # conversations

# By DCMTK's storescu: what it proposes beside the uncompressed transfer syntaxes.
DCMTK_OPTIONS = ("-xs", "-xy", "-xv", "-xw", "-xu", "-xr", "-xd")


@dataclass
class Recording:
    """The conversations of the test, recorded in one file: each goes through a proxy.

    Attributes:
        folder: For whoever keeps files.
        files: What is sent.
    """

    pcap: Pcap
    folder: Path
    files: Sequence[Part10File]
    resources: ExitStack
    _count: int = field(default=0)

    def through(self, port: int) -> int:
        """Return a port that leads to this one."""
        return self.resources.enter_context(Proxy(port, record=self.pcap))

    def new_folder(self) -> Path:
        self._count += 1
        return self.folder / str(self._count)

    def start(
        self, peer: Callable[..., AbstractContextManager[peers.StorageSCP]], *options: str, **named: object
    ) -> int:
        """Start a peer; the port that leads to it."""
        return self.through(self.resources.enter_context(peer(self.new_folder(), *options, **named)).port)

    def serve(self, face: Face, handlers: dimse.Handlers | None = None, **options: object) -> int:
        """Start a server of ours that accepts every instance; return the port that leads to it."""
        if handlers is None:
            handlers = dimse.Handlers(store=lambda request: 0x0000)
        return self.through(self.resources.enter_context(serving(face, handlers, accept_unknown=True, **options)))

    # ---- our SCUs

    def send(self, face: Face, port: int, maximum_length: int, files: Sequence[Part10File]) -> None:
        """Send an echo and some files over one association of ours."""
        paths = [str(file.path) for file in files]
        contexts = [*dimse.contexts_for(paths), dimse.ProposedContext(dimse.Verification)]
        options = {"contexts": contexts, "timeouts": ours.TIMEOUTS, "maximum_length": maximum_length}
        if face == "threads":
            with dimse.associate("127.0.0.1", port, **options) as association:  # type: ignore[call-overload]  # as declared
                association.echo().check()
                assert list(association.store_many(paths))
            return

        async def send() -> None:
            async with aio.associate("127.0.0.1", port, **options) as association:  # type: ignore[call-overload]  # as declared
                (await association.echo()).check()
                assert [outcome async for outcome in association.store_many(paths)]

        asyncio.run(send())

    def abort(self, port: int) -> None:
        """Send an echo over an association of ours, and abort it."""
        with dimse.associate("127.0.0.1", port, contexts=[dimse.Verification], timeouts=ours.TIMEOUTS) as association:
            association.echo().check()
            association.abort()

    def be_rejected(self, port: int) -> None:
        with pytest.raises(dimse.AssociationRejected):
            dimse.associate("127.0.0.1", port, contexts=[dimse.Verification], timeouts=ours.TIMEOUTS)


def peers_of(recording: Recording) -> Iterator[int]:
    """Yield the port of each peer that instances may be sent to."""
    for length in MAXIMUM_LENGTHS:
        if length:
            yield recording.start(peers.dcmtk_storescp, "+xa", "-pm", "+B", "-pdu", str(length))
        yield recording.start(peers.pynetdicom_scp, maximum_length=length)
        for face in FACES:
            yield recording.serve(face, maximum_length=length)
    yield recording.start(peers.orthanc_scp)


def converse(recording: Recording) -> None:
    """Hold every conversation that is dissected."""
    we_send(recording)
    they_send(recording)
    it_ends_otherwise(recording)


def we_send(recording: Recording) -> None:
    """Have our SCUs send each file once to each peer, over associations of different maximum lengths."""
    manners = [(face, length) for face in FACES for length in MAXIMUM_LENGTHS]
    for port in peers_of(recording):
        for number, (face, length) in enumerate(manners):
            recording.send(face, port, length, recording.files[number :: len(manners)])


def they_send(recording: Recording) -> None:
    """Have the peers' SCUs and our tools send to servers of ours."""
    paths = [str(file.path) for file in recording.files]
    for face in FACES:
        for length in MAXIMUM_LENGTHS:
            port = recording.serve(face, maximum_length=length)
            at = "127.0.0.1", str(port)
            assert peers.run(peers.dcmtk("echoscu"), *at).returncode == 0
            assert peers.run(peers.dcmtk("echoscu"), "--abort", *at).returncode == 0
            option = str(length or 65536)
            peers.run(peers.dcmtk("dcmsend"), "--decompress-never", "--no-halt", "--max-pdu", option, *at, *paths)
        for option in DCMTK_OPTIONS:
            peers.run(peers.dcmtk("storescu"), "-R", "-nh", option, *at, *paths)
        peers.run(peers.pynetdicom(), "-m", "pynetdicom", "storescu", "-cx", *peers.PYNETDICOM_OPTIONS, *at, *paths)
        done = running.tool("storescu", *at, "--jobs", 3, "--any-order", *paths)
        assert done.returncode == 0, done.stderr
        assert running.tool("echoscu", *at, "--abort").returncode == 0
    with peers.orthanc_scp(recording.new_folder()) as scp:
        peers.orthanc_upload(scp.ports[1], recording.files)
        for face in FACES:
            peers.orthanc_send(scp.ports[1], recording.serve(face))


def it_ends_otherwise(recording: Recording) -> None:
    """Have associations end by an abort or a rejection."""
    picky = recording.start(peers.dcmtk_storescp, "--refuse")
    hasty = recording.start(peers.dcmtk_storescp, "+xa", "--abort-after")
    for face in FACES:
        port = recording.serve(face, require_called=True, ae_title="OTHER")
        recording.be_rejected(port)
        assert peers.run(peers.dcmtk("echoscu"), "127.0.0.1", str(port)).returncode != 0
        recording.be_rejected(picky)
        recording.abort(recording.serve(face))
        with pytest.raises(dimse.AssociationAborted):
            recording.send(face, hasty, 16384, recording.files[:1])


def smallest(files: PydicomFiles) -> list[Part10File]:
    """Return some files of each transfer syntax, those that every peer can read."""
    by_syntax: dict[str, list[Part10File]] = defaultdict(list)
    for file in sorted(files.sendable, key=lambda file: len(file.content)):
        # Its data set is not in the transfer syntax that it names.
        if file.path.name != "SC_rgb_jpeg.dcm":
            by_syntax[file.transfer_syntax].append(file)
    return [file for some in by_syntax.values() for file in some[:OF_EACH_TRANSFER_SYNTAX]]


def test_tshark_finds_nothing_wrong_in_what_we_and_real_peers_say(pydicom_files: PydicomFiles, tmp_path: Path) -> None:
    path = tmp_path / "interop.pcap"
    with Pcap(path) as pcap, ExitStack() as resources:
        files = [*smallest(pydicom_files), large(tmp_path)]
        converse(Recording(pcap, tmp_path, files, resources))
    streams, wrong = dissect(path)
    assert [words for words in wrong if not words.endswith(INCOMPLETE)] == []
    spoken = [stream for stream in streams if stream.types[A_ASSOCIATE_RQ]]
    assert len(spoken) >= LEAST
    ends = {kind: sum(kind in stream.types for stream in spoken) for kind in (A_RELEASE_RP, A_ABORT, A_ASSOCIATE_RJ)}
    assert sum(ends.values()) == len(spoken)
    assert ends[A_ABORT] >= 14
    assert ends[A_ASSOCIATE_RJ] == 6
    assert {length for stream in spoken for length in stream.maximum.values()} >= set(MAXIMUM_LENGTHS)
    full = {(stream.longest[sender], stream.maximum[1 - sender]) for stream in spoken for sender in stream.longest}
    # PDUs as long as they may be.
    assert {(4096, 4096), (16384, 16384), (131072, 131072)} <= full
    print(f"{len(spoken)} conversations, {sum(sum(stream.types.values()) for stream in spoken)} PDUs: {ends}")


def large(folder: Path) -> Part10File:
    """Make a file that fills PDUs of each length."""
    from tests.files import read_part10

    instance = make_instance(folder, 1, 600_000)
    return read_part10(instance.path.read_bytes(), instance.path)


# ---- planted faults


# The sender (0 is the requestor, 1 the acceptor) and its PDU.
Speech = list[tuple[int, bytes]]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Speech:
    """Record a conversation, a PDU an entry: an echo, a store of three data PDUs, a release."""
    folder = tmp_path_factory.mktemp("speech")
    instance, path = make_instance(folder, 1, 10_000), folder / "speech.pcap"
    contexts = [(dimse.Verification, [IMPLICIT]), (uids.CTImageStorage, [uids.ExplicitVRLittleEndian])]
    handlers = dimse.Handlers(store=lambda request: 0x0000)
    with (
        Pcap(path) as pcap,
        serving("threads", handlers, maximum_length=4096) as scp,
        Proxy(scp, record=pcap) as port,
        dimse.associate("127.0.0.1", port, contexts=contexts) as association,
    ):
        association.echo().check()
        association.store(instance.path).check()
    said = [(int(source == PORT), data) for (source, _), _, _, data in packets(path) if data]
    pieces = [(sender, piece) for sender, data in said for piece in apart(data)]
    assert [piece[0] for _, piece in pieces] == [1, 2, 4, 4, 4, 4, 4, 4, 4, 5, 6]
    return pieces


RQ, AC, ECHO_RQ, ECHO_RSP, STORE_RQ, DATA, MORE, LAST, STORE_RSP, RELEASE_RQ, RELEASE_RP = range(11)


def apart(data: bytes) -> Iterator[bytes]:
    while data:
        length = 6 + int.from_bytes(data[2:6], "big")
        yield data[:length]
        data = data[length:]


def write(speeches: Sequence[Speech], path: Path) -> None:
    """Record them again."""
    with Pcap(path) as pcap:
        for speech in speeches:
            conversation = pcap.converse()
            for sender, data in speech:
                conversation.sent(sender, data)
            for sender in (0, 1):
                conversation.ended(sender, "FIN")


def replaced(number: int, old: bytes, new: bytes) -> Callable[[Speech], None]:
    """Other bytes in a PDU."""

    def plant(speech: Speech) -> None:
        sender, data = speech[number]
        assert data.count(old) >= 1
        speech[number] = sender, data.replace(old, new, 1)

    return plant


def instead(number: int, data: bytes) -> Callable[[Speech], None]:
    """Another PDU."""

    def plant(speech: Speech) -> None:
        speech[number] = speech[number][0], data

    return plant


def behind(sender: int, data: bytes) -> Callable[[Speech], None]:
    """Add a PDU at the end."""
    return lambda speech: speech.append((sender, data))


ABSTRACT_SYNTAX, TRANSFER_SYNTAX = item(0x30, VERIFICATION.encode()), item(0x40, IMPLICIT.encode())
FAULTS: dict[str, tuple[Callable[[Speech], None], str]] = {
    "a context that was not proposed": (replaced(ECHO_RQ, b"\x01\x03", b"\x09\x03"), "dicom.pdv.ctx.invalid"),
    "an even context ID": (replaced(ECHO_RSP, b"\x01\x03", b"\x02\x03"), "dicom.pdv.ctx.invalid"),
    "a flag that there is not": (replaced(ECHO_RQ, b"\x01\x03", b"\x01\x07"), "dicom.pdv.flags.invalid"),
    "an item that is too long": (
        replaced(RQ, ABSTRACT_SYNTAX, b"\x30\0\x11\x11" + ABSTRACT_SYNTAX[4:]),
        "_ws.malformed",
    ),
    "a maximum length of another length": (replaced(RQ, b"\x51\0\0\x04", b"\x51\0\xff\x04"), "_ws.malformed"),
    "a context of two abstract syntaxes": (
        instead(RQ, associate_rq([item(0x20, b"\x01\0\0\0" + 2 * ABSTRACT_SYNTAX + TRANSFER_SYNTAX)])),
        "dicom.multiple_abstract_syntax",
    ),
    "a context of no abstract syntax": (
        instead(RQ, associate_rq([item(0x20, b"\x01\0\0\0" + TRANSFER_SYNTAX)])),
        "dicom.no_abstract_syntax",
    ),
    "a context of no transfer syntax": (
        instead(RQ, associate_rq([context(1, VERIFICATION)])),
        "dicom.no_transfer_syntax",
    ),
    "a PDV that is longer than its PDU": (instead(DATA, pdu(4, pdv(3, 0, bytes(100), 500))), "_ws.malformed"),
    "a PDV of no length": (instead(DATA, pdu(4, pdv(3, 0, b"", 0))), "_ws.malformed"),
    "a command element that is longer than its command": (
        instead(ECHO_RQ, pdu(4, pdv(1, 3, struct.pack("<HHI", 0, 2, 5000) + b"1.2"))),
        "_ws.malformed",
    ),
    "data longer than was announced": (
        instead(DATA, pdu(4, pdv(3, 0, bytes(4091)))),
        "a P-DATA-TF of 4097 bytes",
    ),
    "an abort behind the release": (behind(0, pdu(7, bytes(4))), "a PDU behind the A-RELEASE-RP"),
    "a message behind the release": (behind(0, echo()), "a PDU behind the A-RELEASE-RP"),
    "a PDU of an unknown type": (instead(STORE_RSP, pdu(0x17, bytes(4))), "10 bytes that are no PDU"),
    "a PDU that is shorter than it says": (instead(LAST, pdu(4, pdv(3, 2, bytes(100)), 2000)), "bytes that are no PDU"),
}


def test_what_was_recorded_is_right_before_a_fault_is_planted(speech: Speech, tmp_path: Path) -> None:
    write([speech], tmp_path / "right.pcap")
    (stream,), wrong = dissect(tmp_path / "right.pcap")
    assert wrong == []
    assert (stream.types[P_DATA_TF], stream.maximum, stream.longest) == (7, {0: 16382, 1: 4096}, {0: 4096, 1: 128})


@pytest.fixture(scope="module")
def found(speech: Speech, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what is found wrong with the conversation when each of the faults is planted in it."""
    speeches, path = [], tmp_path_factory.mktemp("planted") / "planted.pcap"
    for plant, _ in FAULTS.values():
        speeches.append(list(speech))
        plant(speeches[-1])
    write(speeches, path)
    _, wrong = dissect(path)
    return {name: [line for line in wrong if line.startswith(f"{number}: ")] for number, name in enumerate(FAULTS)}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, found: dict[str, list[str]]) -> None:
    assert any(words.endswith(FAULTS[name][1]) for words in found[name]), found[name]

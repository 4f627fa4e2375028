"""Real SCUs and our servers of both faces: what they send is what a handler sees, and what a router passes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

import dimse
from dimse import aio, uids
from tests.files import Part10File, PydicomFiles, read_part10
from tests.interop import ours, peers

# With Nagle's algorithm on, as DCMTK comes, the last segment of a message waits for an acknowledgement. Linux delays that by 40 ms,
# which makes 8 s and more for so many objects. They must come in half of that.
OBJECTS, SECONDS = 200, 4.0


@dataclass(frozen=True)
class SCU:
    """A program that sends, and files of several transfer syntaxes that it sends without changing a byte."""

    command: Callable[[], Sequence[str]]
    files: tuple[str, ...]
    options: tuple[str, ...] = ()


SCUS = {
    "storescu": SCU(
        lambda: (peers.dcmtk("storescu"),),
        ("examples_overlay.dcm", "liver_expb_1frame.dcm", "rtdose_expb.dcm", "test-SR.dcm"),
        ("-R",),
    ),
    "storescu of RLE": SCU(lambda: (peers.dcmtk("storescu"),), ("SC_rgb_rle.dcm",), ("-xr",)),
    "storescu of JPEG": SCU(lambda: (peers.dcmtk("storescu"),), ("SC_rgb_jpeg_lossy_gdcm.dcm",), ("-xy",)),
    "dcmsend": SCU(
        lambda: (peers.dcmtk("dcmsend"),),
        (
            "examples_overlay.dcm",
            "GDCMJ2K_TextGBR.dcm",
            "JPEGLSNearLossless_08.dcm",
            "SC_rgb_jpeg_gdcm.dcm",
            "SC_rgb_jpeg_lossy_gdcm.dcm",
            "SC_rgb_rle.dcm",
        ),
        ("--decompress-never",),
    ),
    "pynetdicom": SCU(
        lambda: (peers.pynetdicom(), "-m", "pynetdicom", "storescu"),
        (
            "examples_ybr_color.dcm",
            "GDCMJ2K_TextGBR.dcm",
            "JPEGLSNearLossless_08.dcm",
            "MR_small_implicit.dcm",
            "SC_rgb_rle.dcm",
            "SC_rgb_small_odd_big_endian.dcm",
        ),
        ("-cx", "-aet", "ELSEWHERE", "-aec", "HERE", *peers.PYNETDICOM_OPTIONS),
    ),
}


def with_and_without_delay(programs: Iterable[str]) -> list[Any]:
    """Return each program; those of DCMTK, which read TCP_NODELAY from their environment, with Nagle's algorithm on as well."""
    return [
        pytest.param(name, nodelay, id=name if nodelay else f"{name} with delay")
        for name in programs
        for nodelay in ((True,) if name == "pynetdicom" else (True, False))
    ]


@dataclass
class Kept:
    """A store handler, `def` or `async def`, that keeps what it gets."""

    files: list[tuple[str, str, bytes]] = field(default_factory=list)
    peers: set[tuple[str, str]] = field(default_factory=set)
    sop_classes: list[str] = field(default_factory=list)

    def store(self, request: dimse.StoreRequest) -> int:
        """Keep the data set as it came."""
        self.files.append((request.sop_instance_uid, request.context.transfer_syntax, bytes(request.view())))
        self.peers.add((request.peer.ae_title, request.called_ae_title))
        self.sop_classes.append(request.sop_class_uid)
        assert request.size == len(request.view())
        return 0x0000

    async def store_async(self, request: dimse.StoreRequest) -> int:
        """Keep the data set as it came, on the event loop."""
        await asyncio.sleep(0)
        return self.store(request)


def handlers_of(face: ours.Face, kept: Kept) -> dimse.Handlers:
    """Return handlers as a user of this face writes them."""
    return dimse.Handlers(store=kept.store if face == "blocking" else kept.store_async)


def named(files: PydicomFiles, names: Sequence[str]) -> list[Part10File]:
    """Return the files of these names."""
    by_name = {file.path.name: file for file in (*files.sendable, *files.repeated)}
    return [by_name[name] for name in names]


@pytest.fixture(params=ours.FACES)
def face(request: pytest.FixtureRequest) -> ours.Face:
    """Return each face in turn."""
    chosen: ours.Face = request.param
    return chosen


# --- Verification -----------------------------------------------------------------------------------------------------

ECHO_SCUS: dict[str, Callable[[], Sequence[str]]] = {
    "dcmtk": lambda: (peers.dcmtk("echoscu"), "-aet", "ELSEWHERE", "--repeat", "3"),
    "pynetdicom": lambda: (peers.pynetdicom(), "-m", "pynetdicom", "echoscu", "-aet", "ELSEWHERE", "--repeat", "3"),
}


@pytest.mark.parametrize(("scu", "nodelay"), with_and_without_delay(ECHO_SCUS))
def test_our_server_is_verified(scu: str, nodelay: bool, face: ours.Face) -> None:
    asked: list[str] = []

    def echo(request: dimse.EchoRequest) -> int:
        asked.append(request.peer.ae_title)
        return 0x0000

    with ours.serving(face, dimse.Handlers(echo=echo)) as port:
        process = peers.run(*ECHO_SCUS[scu](), "127.0.0.1", str(port), nodelay=nodelay)
    assert process.returncode == 0, process.stdout
    assert asked == ["ELSEWHERE"] * 3


# --- Storage ----------------------------------------------------------------------------------------------------------


@pytest.mark.sample("*-storescu", "*-dcmsend", "blocking-pynetdicom")
@pytest.mark.parametrize(("scu", "nodelay"), with_and_without_delay(SCUS))
def test_what_an_scu_sends_reaches_the_handler_byte_for_byte(
    scu: str, nodelay: bool, face: ours.Face, pydicom_files: PydicomFiles
) -> None:
    sender, kept = SCUS[scu], Kept()
    files = named(pydicom_files, sender.files)
    with ours.serving(face, handlers_of(face, kept)) as port:
        process = peers.run(
            *sender.command(),
            *sender.options,
            "127.0.0.1",
            str(port),
            *(file.path for file in files),
            nodelay=nodelay,
        )
    assert process.returncode == 0, process.stdout
    assert sorted(kept.files) == sorted(ours.encoded(file) for file in files)
    assert sorted(kept.sop_classes) == sorted(file.sop_class_uid for file in files)
    if scu == "pynetdicom":
        assert kept.peers == {("ELSEWHERE", "HERE")}


def test_small_objects_from_a_peer_with_nagles_algorithm_do_not_stall(
    face: ours.Face, pydicom_files: PydicomFiles
) -> None:
    kept = Kept()
    (file,) = named(pydicom_files, ["test-SR.dcm"])
    with ours.serving(face, handlers_of(face, kept)) as port:
        started = time.monotonic()
        process = peers.run(
            *(peers.dcmtk("storescu"), "-R", "--repeat", str(OBJECTS), "127.0.0.1", str(port), file.path), nodelay=False
        )
        seconds = time.monotonic() - started
    assert process.returncode == 0, process.stdout
    assert kept.files == [ours.encoded(file)] * OBJECTS
    assert seconds < SECONDS


@pytest.mark.parametrize("status", [0xA700, 0xB000, 0xC123])
def test_the_status_of_the_handler_reaches_the_scu(status: int, face: ours.Face, pydicom_files: PydicomFiles) -> None:
    (file,) = named(pydicom_files, ["test-SR.dcm"])
    with ours.serving(face, dimse.Handlers(store=lambda request: status)) as port:
        process = peers.run(peers.dcmtk("storescu"), "-v", "-R", "127.0.0.1", str(port), file.path, file.path)
    said = [line for line in process.stdout.splitlines() if "Received Store Response" in line]
    words = {0xA700: "Refused: OutOfResources", 0xB000: "Warning: CoercionOfDataElements", 0xC123: "CannotUnderstand"}
    assert len(said) == 1 if status != 0xB000 else 2, process.stdout
    assert all(words[status] in line for line in said), process.stdout


# --- A router ---------------------------------------------------------------------------------------------------------


def large_file(path: Path) -> Part10File:
    """Make a file large enough to be spooled to the disk on its way: 3 MiB of pixels."""
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = uids.SecondaryCaptureImageStorage, "1.2.3.4.5"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.Rows, data_set.Columns, data_set.PixelRepresentation = 1024, 1536, 0
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 16, 15
    data_set.PixelData = bytes(range(256)) * (1024 * 1536 * 2 // 256)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(uids.ExplicitVRLittleEndian)
    data_set.save_as(path, enforce_file_format=True)
    return read_part10(path.read_bytes(), path)


def forward(port: int) -> dimse.Handlers:
    """Return a router with a `def` handler."""

    def store(request: dimse.StoreRequest) -> int:
        contexts = [(request.sop_class_uid, [request.context.transfer_syntax])]
        with dimse.associate("127.0.0.1", port, contexts=contexts, timeouts=ours.TIMEOUTS) as onward:
            return onward.store(request)

    return dimse.Handlers(store=store)


def forward_async(port: int) -> dimse.Handlers:
    """Return a router with an `async def` handler."""

    async def store(request: dimse.StoreRequest) -> int:
        contexts = [(request.sop_class_uid, [request.context.transfer_syntax])]
        async with aio.associate("127.0.0.1", port, contexts=contexts, timeouts=ours.TIMEOUTS) as onward:
            return await onward.store(request)

    return dimse.Handlers(store=store)


ROUTERS: list[tuple[ours.Face, Callable[[int], dimse.Handlers]]] = [
    ("blocking", forward),
    ("asyncio", forward),
    ("asyncio", forward_async),
]


@pytest.mark.parametrize(("router", "handlers"), ROUTERS)
def test_a_router_passes_every_instance_on_as_it_came(
    router: ours.Face,
    handlers: Callable[[int], dimse.Handlers],
    face: ours.Face,
    pydicom_files: PydicomFiles,
    tmp_path: Path,
) -> None:
    kept = Kept()
    files = [*named(pydicom_files, SCUS["dcmsend"].files), large_file(tmp_path / "large.dcm")]
    with ours.serving(face, handlers_of(face, kept)) as archive, ours.serving(router, handlers(archive)) as port:
        process = peers.run(
            peers.dcmtk("dcmsend"), "--decompress-never", "127.0.0.1", str(port), *(file.path for file in files)
        )
    assert process.returncode == 0, process.stdout
    assert sorted(kept.files) == sorted(ours.encoded(file) for file in files)


def test_a_router_hands_the_status_back(face: ours.Face, pydicom_files: PydicomFiles) -> None:
    files = named(pydicom_files, SCUS["dcmsend"].files)

    def refuse(request: dimse.StoreRequest) -> dimse.Status:
        return dimse.Status(0xA700, service="storage", comment="the archive is full")

    with (
        ours.serving(face, dimse.Handlers(store=refuse)) as archive,
        ours.serving(face, forward(archive)) as port,
    ):
        outcomes = ours.store(face, port, files)
    assert [outcome.status for outcome in outcomes] == [0xA700] * len(files)
    assert {outcome.status.comment for outcome in outcomes if outcome.status} == {"the archive is full"}

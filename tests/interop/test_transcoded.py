"""A receiver of Implicit VR Little Endian only: what can be converted arrives with its pixels, the rest is refused by name."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import pydicom
import pytest
from pydicom.pixels.utils import pixel_array

import dimse
from dimse import uids
from tests.files import Part10File, PydicomFiles, part10_files
from tests.interop import ours, peers

IMPLICIT = uids.ImplicitVRLittleEndian

# Why a file is not converted: what is raised, and what it says.
NO_CONTEXT = (dimse.NoPresentationContext, "No presentation context for ")
UNDECODABLE = (dimse.FileError, "Pixel Data cannot be decompressed")
UNCERTAIN = (dimse.FileError, "the byte order of Pixel Data of more than 16 bits is uncertain")
NOT_ASKED_FOR = (dimse.FileError, "decompressed only where that is asked for (transcode: always)")
LOSSY = (dimse.FileError, "Pixel Data may be lossy compressed")
Refusal = tuple[type[dimse.DimseError], str]

# Whatever is allowed. `tests/data_set/test_transcode.py` says more of these files.
NEVER: dict[str, Refusal] = {
    "JPEG-lossy.dcm": UNDECODABLE,
    "JPEG2000-embedded-sequence-delimiter.dcm": UNDECODABLE,
    "rtdose_expb.dcm": UNCERTAIN,
    "rtdose_expb_1frame.dcm": UNCERTAIN,
}
# Without leave to decompress what may be lossy compressed: by transfer syntax, for none of these files says that it is not.
WITHOUT_LEAVE: dict[str, Refusal] = {
    uids.JPEGBaseline8Bit: NOT_ASKED_FOR,
    uids.JPEGExtended12Bit: NOT_ASKED_FOR,
    uids.JPEGLSNearLossless: LOSSY,
    uids.JPEG2000: LOSSY,
}
NO_IMAGE = "badVR.dcm"  # Number of Frames is no number


def refusal(file: Part10File, transcode: ours.Transcode) -> Refusal | None:
    """Return why a file does not arrive; None if it does."""
    if file.sop_class_uid == uids.ColorPaletteStorage:
        # Both peers do not count it among the Storage SOP classes.
        return NO_CONTEXT
    if transcode == "lossless" and file.transfer_syntax in WITHOUT_LEAVE:
        return WITHOUT_LEAVE[file.transfer_syntax]
    return NEVER.get(file.path.name)


def rounds(files: Sequence[Part10File]) -> Iterator[list[Part10File]]:
    """Deal the files out so that no round has a SOP instance UID twice."""
    left = list(files)
    while left:
        dealt = peers.by_instance(left[::-1])  # the first one of each
        yield [file for file in left if dealt[file.sop_instance_uid] is file]
        left = [file for file in left if dealt[file.sop_instance_uid] is not file]


def pixels(file: Part10File) -> Any:
    """Return the pixels as pydicom decodes them, in their own colour space; None if the file has none."""
    data_set = pydicom.dcmread(io.BytesIO(file.content))
    return pixel_array(data_set, raw=True) if "PixelData" in data_set and file.path.name != NO_IMAGE else None


# Every test needs those of each file.
original_pixels = functools.cache(pixels)


def assert_converted(original: Part10File, arrived: Part10File) -> None:
    """Check that this is the same instance in Implicit VR Little Endian, with the same pixels."""
    assert arrived.transfer_syntax == IMPLICIT
    assert arrived.sop_class_uid == original.sop_class_uid
    if original.transfer_syntax == IMPLICIT:
        assert arrived.data_set == original.data_set
    with warnings.catch_warnings():
        # pydicom's own files hold what it warns of.
        warnings.simplefilter("ignore")
        wanted = original_pixels(original)
        if wanted is not None:
            assert numpy.array_equal(pixels(arrived), wanted), original.path


@pytest.fixture(params=["dcmtk_storescp", "pynetdicom_scp"])
def start_implicit_scp(request: pytest.FixtureRequest) -> Callable[[], peers.StorageSCP]:
    """Return a function that starts each peer in turn, as one that accepts Implicit VR Little Endian only."""
    start: peers.StartSCP = request.getfixturevalue(request.param)
    if request.param == "dcmtk_storescp":
        return lambda: start("+xi", "-pm", "+B")
    return lambda: start(transfer_syntaxes=[IMPLICIT])


@pytest.mark.sample("dcmtk_storescp-blocking-lossless")
@pytest.mark.parametrize("transcode", ["lossless", "always"])
@pytest.mark.parametrize("face", ours.FACES)
def test_what_can_be_converted_arrives_with_its_pixels_and_the_association_survives_the_rest(
    face: ours.Face,
    transcode: ours.Transcode,
    start_implicit_scp: Callable[[], peers.StorageSCP],
    pydicom_files: PydicomFiles,
) -> None:
    converted, scp = 0, start_implicit_scp()
    for files in rounds((*pydicom_files.sendable, *pydicom_files.repeated)):
        outcomes = ours.store(face, scp.port, files, transcode=transcode)
        received = scp.received()
        for path in scp.folder.iterdir():
            path.unlink()
        for file, outcome in zip(files, outcomes, strict=True):
            expected = refusal(file, transcode)
            if expected is None:
                assert outcome.status == 0x0000, outcome
                assert_converted(file, received.pop(file.sop_instance_uid))
                converted += 1
            else:
                kind, words = expected
                assert outcome.status is None and type(outcome.error) is kind and words in str(outcome.error), outcome
        assert received == {}
    assert converted > {"lossless": 120, "always": 150}[transcode]


@pytest.mark.sample("dcmtk_storescp-*-lossless")
@pytest.mark.parametrize(("arguments", "transcode"), [((), "lossless"), (("--transcode", "always"), "always")])
def test_the_tool_converts_what_it_can_and_names_each_file_that_it_cannot_in_one_line(
    arguments: tuple[str, ...],
    transcode: ours.Transcode,
    start_implicit_scp: Callable[[], peers.StorageSCP],
    pydicom_files: PydicomFiles,
    tmp_path: Path,
) -> None:
    copies = ours.copies(pydicom_files.sendable, tmp_path / "study")
    scp = start_implicit_scp()

    process = ours.tool("storescu", *arguments, "127.0.0.1", scp.port, "-r", tmp_path / "study")

    assert process.returncode == 3
    lines = [line for line in ours.errors(process) if not line.startswith(NO_CONTEXT[1])]
    received = scp.received()
    for path, file in copies.items():
        expected = refusal(file, transcode)
        said = [line for line in lines if f"{path}:" in f"{line}:"]
        if expected is None:
            assert said == []
            assert_converted(file, received.pop(file.sop_instance_uid))
        else:
            assert len(said) == 1 and said[0].startswith(f"Store failed: {path}")
            assert expected is NO_CONTEXT or expected[1] in said[0]
    assert received == {}
    assert len(lines) == sum(refusal(file, transcode) is not None for file in copies.values())


@pytest.mark.sample("dcmtk_storescp")
def test_without_leave_to_convert_a_file_goes_as_it_is_or_not_at_all(
    start_implicit_scp: Callable[[], peers.StorageSCP], pydicom_files: PydicomFiles
) -> None:
    implicit = next(file for file in pydicom_files.sendable if file.transfer_syntax == IMPLICIT)
    explicit = next(file for file in pydicom_files.sendable if file.path.name == "CT_small.dcm")
    scp = start_implicit_scp()
    for face in ours.FACES:
        refused, stored = ours.store(face, scp.port, [explicit, implicit], transcode="never")
        assert isinstance(refused.error, dimse.NoPresentationContext)
        assert stored.status == 0x0000
    for option in (("-cx",), ("--transcode", "never")):
        process = ours.tool("storescu", *option, "127.0.0.1", scp.port, explicit.path, implicit.path)
        assert process.returncode == 3
        why, named = ours.errors(process)
        assert why.startswith("No presentation context for 'CT Image Storage' has been accepted by the peer with ")
        assert str(explicit.path) in named
    received = scp.received()
    assert {uid: file.data_set for uid, file in received.items()} == {implicit.sop_instance_uid: implicit.data_set}


@pytest.mark.sample("-xe")
@pytest.mark.parametrize("syntax", ["-xe", "-xi", "-xb"])
def test_the_tool_converts_to_the_transfer_syntax_that_it_is_told_to_propose(
    syntax: str, dcmtk_storescp: peers.StartSCP, pydicom_files: PydicomFiles, tmp_path: Path
) -> None:
    wanted = {"-xe": uids.ExplicitVRLittleEndian, "-xi": IMPLICIT, "-xb": uids.ExplicitVRBigEndian}[syntax]
    names = {"CT_small.dcm", "ExplVR_BigEnd.dcm", "MR_small_RLE.dcm", "image_dfl.dcm", "rtplan.dcm"}
    files = [file for file in (*pydicom_files.sendable, *pydicom_files.repeated) if file.path.name in names]
    assert len(files) == len(names)
    scp = dcmtk_storescp("+xa", "-pm", "+B", "+uf")
    process = ours.tool("storescu", syntax, "127.0.0.1", scp.port, *(file.path for file in files))
    assert (process.returncode, process.stderr) == (0, "")
    received = peers.by_instance(part10_files(scp.folder))
    assert {file.transfer_syntax for file in received.values()} == {wanted}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file in files:
            assert numpy.array_equal(pixels(received.pop(file.sop_instance_uid)), pixels(file))
    assert received == {}

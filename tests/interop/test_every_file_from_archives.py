"""Every file that pydicom ships, retrieved by getscu and movescu from Orthanc and from DCMTK's dcmqrscp.

What is kept is what the archive put on the wire, byte for byte. To compare them, each archive moves everything a second time, to a
peer that takes PDUs apart by hand. And that is what was stored there, but for the files named here, which the archive encodes anew.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from tests import faulty_peer as wire
from tests.files import Part10File, PydicomFiles, part10_files
from tests.interop import ours, peers
from tests.interop.test_every_file_to_us import (
    CHANGED_BY_DCMTK,
    DCMSEND_TURNS_INTO_EXPLICIT_VR_LITTLE_ENDIAN,
    NOT_FILED_BY_ORTHANC,
    STORESCU_OPTIONS,
    UNREADABLE,
    Wire,
    assert_our_file_meta,
)
from tests.tools.running import tool

# These have no Study Instance UID, by which a study is asked for. Of some, the class is not a storage class to dcmqrscp.
WITHOUT_STUDY = NOT_FILED_BY_ORTHANC
# Its elements are in Implicit VR, although its transfer syntax says Explicit VR.
DCMQRSCP_CORRECTS_THE_VR = {"SC_rgb_jpeg.dcm"}
# It accepts the context with all uncompressed transfer syntaxes with this one, whatever is stored.
ORTHANC_GETS_IN_EXPLICIT_VR_LITTLE_ENDIAN = DCMSEND_TURNS_INTO_EXPLICIT_VR_LITTLE_ENDIAN
DCMQRSCP_GETS_IN_EXPLICIT_VR_LITTLE_ENDIAN = {"ExplVR_BigEnd.dcm"}


@dataclass(frozen=True)
class Held:
    """An archive that runs and holds files.

    Attributes:
        port: The port of the archive.
        title: Its AE title.
        files: The files.
        store_port: The port on which it expects our movescu, as ME.
    """

    port: int
    title: str
    files: Sequence[Part10File]
    store_port: int

    def retrieve(self, name: str, folder: Path) -> None:
        """Retrieve all studies by a request each, over one association."""
        options = ["--store-aet", "ME", "--store-port", self.store_port] if name == "movescu" else []
        self._ask(name, folder / "keys.json", "-od", folder, *options)

    def move_to_wire(self, folder: Path) -> None:
        """Have the archive move everything to the peer that takes PDUs apart."""
        self._ask("movescu", folder / "keys.json", "-aem", "WIRE")

    def _ask(self, name: str, keys: Path, *options: object) -> None:
        studies = sorted({study_of(file) for file in self.files})
        level, study = "00080052", "0020000D"
        identifiers = [
            {level: {"vr": "CS", "Value": ["STUDY"]}, study: {"vr": "UI", "Value": [uid]}} for uid in studies
        ]
        keys.parent.mkdir(parents=True, exist_ok=True)
        keys.write_text(json.dumps(identifiers))
        done = tool(name, "-q", "-S", "-aec", self.title, "127.0.0.1", self.port, "-f", keys, *options)
        assert (done.returncode, done.stderr) == (0, "")


def study_of(file: Part10File) -> str:
    """Return the Study Instance UID of a file."""
    with warnings.catch_warnings():
        # pydicom warns about some of its own files.
        warnings.simplefilter("ignore")
        return str(pydicom.dcmread(file.path, stop_before_pixels=True).StudyInstanceUID)


@contextmanager
def orthanc(files: Sequence[Part10File], folder: Path, wire_port: int) -> Iterator[Held]:
    """Run an Orthanc that holds the files as they are."""
    port = peers.free_port()
    known = {"me": ["ME", "127.0.0.1", port], "wire": ["WIRE", "127.0.0.1", wire_port]}
    may = {"DicomAlwaysAllowGet": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowFind": True}
    with peers.orthanc_scp(folder, DicomModalities=known, **may) as scp:
        refused = peers.orthanc_upload(scp.ports[1], files)
        yield Held(scp.port, "ORTHANC", [file for file in files if file not in refused], port)


@contextmanager
def dcmqrscp(files: Sequence[Part10File], folder: Path, wire_port: int) -> Iterator[Held]:
    """Run a dcmqrscp that holds files of one transfer syntax as they are, and prefers it on each side."""
    port = peers.free_port()
    prefers = STORESCU_OPTIONS[files[0].transfer_syntax]
    options = "+B", prefers, prefers.replace("-", "+")
    with peers.dcmtk_dcmqrscp(folder, *options, destinations={"ME": port, "WIRE": wire_port}) as scp:
        stored = tool("storescu", "-aec", "DCMQRSCP", "127.0.0.1", scp.port, *(file.path for file in files))
        assert (stored.returncode, stored.stderr) == (0, "")
        yield Held(scp.port, "DCMQRSCP", files, port)


@dataclass(frozen=True)
class Archive:
    """An archive, and what it does with the files.

    Attributes:
        holding: Runs one that holds files, in a folder, and that may move to a port as WIRE.
        by_syntax: It holds files of one transfer syntax at a time.
        not_filed: Names of the files that it does not take.
        changed: Names of the files that it sends in another encoding than it stored, by the tool that retrieves them.
    """

    holding: Callable[[Sequence[Part10File], Path, int], AbstractContextManager[Held]]
    by_syntax: bool
    not_filed: set[str]
    changed: dict[str, set[str]]

    def batches(self, files: Sequence[Part10File]) -> list[list[Part10File]]:
        """Return the files that have a study, as it is to hold them."""
        found = defaultdict(list)
        for file in files:
            if file.path.name not in WITHOUT_STUDY:
                found[file.transfer_syntax if self.by_syntax else ""].append(file)
        return list(found.values())


CHANGED_BY_ORTHANC = CHANGED_BY_DCMTK - WITHOUT_STUDY
CHANGED_BY_DCMQRSCP = CHANGED_BY_DCMTK - WITHOUT_STUDY | DCMQRSCP_CORRECTS_THE_VR
ARCHIVES = {
    "orthanc": Archive(
        orthanc,
        False,
        UNREADABLE | WITHOUT_STUDY,
        {
            "getscu": CHANGED_BY_ORTHANC | ORTHANC_GETS_IN_EXPLICIT_VR_LITTLE_ENDIAN,
            "movescu": CHANGED_BY_ORTHANC,
        },
    ),
    "dcmqrscp": Archive(
        dcmqrscp,
        True,
        WITHOUT_STUDY,
        {
            "getscu": CHANGED_BY_DCMQRSCP | DCMQRSCP_GETS_IN_EXPLICIT_VR_LITTLE_ENDIAN,
            "movescu": CHANGED_BY_DCMQRSCP,
        },
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["getscu", "movescu"])
@pytest.mark.parametrize("archive", ARCHIVES)
def test_every_file_of_an_archive_is_kept_as_it_came(
    archive: str, name: str, pydicom_files: PydicomFiles, tmp_path: Path
) -> None:
    files, sent = pydicom_files.sendable, Wire()
    kept: dict[str, Part10File] = {}
    with wire.FaultyPeer(sent) as wire_port:
        for number, batch in enumerate(ARCHIVES[archive].batches(files)):
            folder = tmp_path / f"kept-{number}"
            with ARCHIVES[archive].holding(batch, tmp_path / f"archive-{number}", wire_port) as held:
                held.retrieve(name, folder)
                held.move_to_wire(folder)
            came = peers.by_instance(part10_files(folder))
            assert sorted(came) == sorted(file.sop_instance_uid for file in held.files)
            kept |= came

    assert len(kept) > 120
    for uid, file in kept.items():
        if name == "movescu" or file.transfer_syntax == sent.data_sets[uid][0]:
            assert (file.transfer_syntax, file.data_set) == sent.data_sets[uid], file.path
        assert_our_file_meta(file)
    assert {file.path.name for file in files if file.sop_instance_uid not in kept} == ARCHIVES[archive].not_filed
    changed = {
        file.path.name
        for file in files
        if file.sop_instance_uid in kept and ours.encoded(kept[file.sop_instance_uid]) != ours.encoded(file)
    }
    assert changed == ARCHIVES[archive].changed[name]

"""The instances that the storage SCP of movescu and of dimse retrieve takes: those that were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
from dimse.testing import QueryRetrieveSCP
from tests.interop.peers import free_port
from tests.tools.retrieved import STUDY, ct, kept, write_images
from tests.tools.running import tool

NOT_AUTHORIZED = 0x0124


class Meddling(QueryRetrieveSCP):
    """An SCP that sends other instances too, without a Move Originator, before those that a C-MOVE asks for.

    Attributes:
        statuses: The statuses of the answers.
    """

    def __init__(self, files: list[Path], more: list[Path], port: int) -> None:
        super().__init__(files, destinations={"ME": ("127.0.0.1", port)})
        self._more, self._port = more, port
        self.statuses: list[int] = []

    def move(self, request: RetrieveRequest) -> MoveTo | int:
        contexts = [(uids.CTImageStorage, (uids.ExplicitVRLittleEndian,))]
        with dimse.associate("127.0.0.1", self._port, contexts=contexts) as association:
            self.statuses += [int(association.store(path)) for path in self._more]
        return super().move(request)


def arguments(name: str, port: int, folder: Path) -> list[Any]:
    own = ["-S", "--study-uid", STUDY] if name == "movescu" else [STUDY, "--method", "move"]
    return [*own, "--store-aet", "ME", "--store-port", port, "-od", folder]


@pytest.mark.parametrize("name", ["movescu", "retrieve"])
@pytest.mark.parametrize("takes_all", [False, True])
def test_an_instance_that_was_not_asked_for_is_refused(name: str, takes_all: bool, tmp_path: Path) -> None:
    files, port, folder = write_images(tmp_path / "archive"), free_port(), tmp_path / "in"
    foreign = ct("9.9.1", "9.9").write(tmp_path / "foreign.dcm")
    late = ct(f"{STUDY}.1.4").write(tmp_path / "late.dcm")
    with Meddling([*files, late], [foreign, late], port) as scp:
        done = tool(name, "127.0.0.1", scp.port, *arguments(name, port, folder), *["--take-all"] * takes_all)
    assert scp.statuses == [0 if takes_all else NOT_AUTHORIZED, 0]
    assert ("CT.9.9.1" in kept(folder)) == takes_all
    assert len(kept(folder)) == 4 + takes_all
    words = "refused 9.9.1 from 127.0.0.1, which was not asked for: --take-all keeps it"
    assert (words in done.stderr) == (not takes_all)
    # It was stored, and it is said that it was not asked for.
    assert done.returncode == (3 if takes_all and name == "movescu" else 0), done.stderr


@pytest.mark.parametrize("keys", [("--patient-id", "P1"), ("-L", "study", "--accession", "A1")])
def test_a_request_without_uids_takes_what_comes_from_the_peer(keys: tuple[str, ...], tmp_path: Path) -> None:
    files, port, folder = write_images(tmp_path / "archive"), free_port(), tmp_path / "in"
    more = ct("9.9.1", "9.9").write(tmp_path / "more.dcm")
    with Meddling(files, [more], port) as scp:
        options = ("--store-aet", "ME", "--store-port", port, "-od", folder)
        tool("movescu", "-P", "127.0.0.1", scp.port, *keys, *options)
    assert scp.statuses == [0]


@pytest.mark.parametrize(("only", "number"), [("CTImageStorage", 3), ("MRImageStorage", 0), ("1.2.840.10008.1.2.1", 3)])
@pytest.mark.parametrize("name", ["movescu", "getscu"])
def test_only_some_classes_and_syntaxes_are_accepted(name: str, only: str, number: int, tmp_path: Path) -> None:
    files, port, folder = write_images(tmp_path / "archive"), free_port(), tmp_path / "in"
    own = ("--store-aet", "ME", "--store-port", port) if name == "movescu" else ()
    with QueryRetrieveSCP(files, destinations={"ME": ("127.0.0.1", port)}) as scp:
        done = tool(name, "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, *own, "--accept-only", only, "-od", folder)
    assert done.returncode == (0 if number else 3)
    assert len(kept(folder)) == number

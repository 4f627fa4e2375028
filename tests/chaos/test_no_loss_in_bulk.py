"""Connections are cut, and both sides are killed, again and again: in the end every study is complete, and nothing is here twice.

`dimse retrieve` with a journal retrieves up to 200 studies through a proxy. It cuts each connection after 5 to 40 PDUs, by FIN or
by RST, between two PDUs or within one.
"""

from __future__ import annotations

import subprocess
from math import inf
from pathlib import Path
from random import Random

import pytest

from tests.chaos.archive_process import ArchiveProcess
from tests.chaos.proxy import Proxy
from tests.chaos.test_no_loss import Cuts
from tests.files import part10_files
from tests.interop import peers
from tests.tools import running
from tests.tools.retrieved import ct

STUDIES, IMAGES = 200, 2
# Seconds until the tool connects, and those that a connection lives, about.
STARTING, CONNECTED = 0.25, 0.05
# Seconds of the last run: each retry after a cut waits.
LONGEST = 300.0


def uids(studies: int) -> list[str]:
    """Return so many Study Instance UIDs."""
    return [f"1.2.3.{number}" for number in range(studies)]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the instances of the studies, and return their folder."""
    folder = tmp_path_factory.mktemp("archive")
    for study in uids(STUDIES):
        for image in range(1, IMAGES + 1):
            ct(f"{study}.1.{image}", study).write(folder / f"{study}.1.{image}.dcm")
    return folder


class Retrieval:
    """A `dimse retrieve` that is run as often as necessary.

    Args:
        folder: The folder of its list, its journal and what it keeps.
        port: The port of the peer.
        studies: How many studies to retrieve.
        options: Further options.
    """

    def __init__(self, folder: Path, port: int, studies: int, *options: object) -> None:
        listed = folder / "list"
        listed.write_text("\n".join(uids(studies)))
        self.kept = folder / "kept"
        retry = "--retry", 100, "--retry-wait", 0.01
        self._arguments = (
            *("127.0.0.1", port, "--from", listed, "--journal", folder / "journal", "-od", self.kept),
            *("--durability", "none", *retry, *options),
        )

    def run_and_kill(self, chance: Random, cuts: Cuts) -> bool:
        """Run it and kill it at some moment; return False if it was done before."""
        connections = chance.choice((0, 1, 1, 2, 3))
        cuts.allow(connections)
        with running.start("retrieve", *self._arguments) as process:
            cuts.wait(process)
            try:
                process.wait(chance.uniform(0, CONNECTED if connections else STARTING))
            except subprocess.TimeoutExpired:
                process.kill()
            _, said = process.communicate()
        assert "Traceback" not in said, said
        return process.returncode < 0

    def run(self) -> dict[str, str]:
        """Run it to its end, and return the state of each study."""
        with running.start("retrieve", *self._arguments) as process:
            out, err = process.communicate(timeout=LONGEST)
        assert "Traceback" not in err
        assert process.returncode == 0, err
        rows = [line.split("  ") for line in out.splitlines()]
        states = {row[0]: row[1] for row in rows}
        assert len(states) == len(rows)
        return states


def lose_nothing(archive: Path, folder: Path, *, seed: int, studies: int, kills: int, kills_of_the_peer: int) -> None:
    """Cut, kill, and look for what is missing."""
    chance, cuts = Random(f"bulk {seed}"), Cuts(Random(f"cuts {seed}"))
    store_port = peers.free_port()
    options: list[object] = ["--jobs", (1, 3)[seed % 2]]
    if seed % 4 == 2:
        options += ["--method", "move", "--store-aet", "ME", "--store-port", store_port, "--settle", 0.2]
    with ArchiveProcess(archive, store_port) as scp, Proxy(scp.port, cut_after=cuts, seed=seed) as port:
        retrieval = Retrieval(folder, port, studies, *options)
        deaths = set(chance.sample(range(kills), kills_of_the_peer))
        for number in range(kills):
            assert retrieval.run_and_kill(chance, cuts), "it was done before it could be killed"
            if number in deaths:
                scp.kill_and_start()
        cuts.allow(inf)
        states = retrieval.run()
        assert sorted(states) == sorted(uids(studies))
        assert set(states.values()) <= {"complete", "already"}
        assert set(retrieval.run().values()) == {"already"}
    wanted = {f"{study}.1.{image}" for study in uids(studies) for image in range(1, IMAGES + 1)}
    sent = {file.sop_instance_uid: file.data_set for file in part10_files(archive) if file.sop_instance_uid in wanted}
    kept = part10_files(retrieval.kept)
    assert {file.sop_instance_uid: file.data_set for file in kept} == sent
    assert len([path for path in retrieval.kept.rglob("[!.]*") if path.is_file()]) == len(sent)


@pytest.mark.thorough
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
def test_no_study_is_incomplete(seed: int, archive: Path, tmp_path: Path) -> None:
    lose_nothing(archive, tmp_path, seed=seed, studies=60, kills=4, kills_of_the_peer=2)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(50))
def test_no_study_is_incomplete_in_twenty_kills(seed: int, archive: Path, tmp_path: Path) -> None:
    lose_nothing(archive, tmp_path, seed=seed, studies=STUDIES, kills=20, kills_of_the_peer=5)

"""The measuring programme measures, and tells what it has measured."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import replay, report
from bench.measure import in_turn, measure, stored
from bench.programs import DCMTK_BEST, LOOPBACK_LIMIT, OURS, OURS_SECURED, PYNETDICOM_BOTH, Pair
from bench.results import Figure, Results, Run
from bench.works import WORKS
from dimse.instances import InstanceFile
from dimse.testing import StorageSCP

linux = pytest.mark.skipif(sys.platform != "linux", reason="it measures on Linux only")


def run(pair: Pair, turn: int, seconds: float, share: float = 1.0, arrived: int = 400) -> Run:
    """Return a run with made-up figures."""
    return Run("ct", pair.name, turn, share, 210_000_000, 400, arrived, seconds, 0.2, 0.3, 10 << 20, 20 << 20, 0)


@pytest.fixture
def results() -> Results:
    """Three rounds after a warm-up: in the second, of ours not all arrived."""
    runs = [
        *(run(OURS, turn, seconds) for turn, seconds in enumerate((9.0, 0.25, 0.1, 0.5))),
        *(run(DCMTK_BEST, turn, seconds) for turn, seconds in enumerate((9.0, 0.5, 0.5, 0.5))),
        run(PYNETDICOM_BOTH, 1, 2.5, share=0.1),
    ]
    runs[2] = replace(runs[2], arrived=399)
    figures = [
        *(Figure("start-up", "our echoscu", turn, value, "ms") for turn, value in enumerate((500.0, 60.0, 90.0, 70.0))),
        *(Figure("start-up", "python -c pass", turn, 10.0, "ms") for turn in range(4)),
    ]
    return Results({"cores": "2"}, runs, figures)


@linux
@pytest.mark.parametrize("pair", [OURS, OURS_SECURED, LOOPBACK_LIMIT], ids=lambda pair: pair.name)
def test_a_run_tells_what_was_sent_what_arrived_and_what_it_took(pair: Pair, tmp_path: Path) -> None:
    seen = measure(pair, WORKS["small"], 1, 0.01, tmp_path)
    assert seen.complete
    assert (seen.sent, seen.arrived, seen.share) == (20, 20, 0.01)
    assert 20 * 4000 < seen.size < 20 * 4200
    assert 0 < seen.seconds < 60
    assert seen.whole_seconds == pytest.approx(100 * seen.seconds)
    assert seen.sender_cpu > 0
    assert seen.receiver_cpu > 0
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["small-20"], "what was received is removed"


@linux
def test_works_are_the_same_each_time_and_every_instance_is_another(tmp_path: Path) -> None:
    once, again = (WORKS["small"].folder(0.01, tmp_path / name) for name in ("once", "again"))
    assert [path.read_bytes() for path in stored(once)] == [path.read_bytes() for path in stored(again)]
    assert len({InstanceFile.check(str(path)).sop_instance_uid for path in once.iterdir()}) == 20


@linux
def test_the_load_of_many_associations_stores_instances_that_all_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = min(WORKS["ct"].folder(0.001, tmp_path).iterdir())
    with StorageSCP() as scp:
        replay.main(scp.port, str(file), associations=3, objects=7)
        received = scp.instances
    played = json.loads(capsys.readouterr().out)
    sent = bytes(InstanceFile.check(str(file)).data_set())
    assert played["objects"] == 7
    assert played["bytes"] == 7 * len(sent)
    assert {each.sop_instance_uid for each in received} == {replay.new_uid(number) for number in range(7)}
    assert {each.data_set[-100_000:] for each in received} == {sent[-100_000:]}


def test_each_round_runs_each_once_and_begins_with_another() -> None:
    order: list[tuple[int, str]] = []
    in_turn("abc", lambda name: 1 if name == "c" else 3, lambda name, turn: order.append((turn, name)))
    assert ["".join(name for turn, name in order if turn == each) for each in range(4)] == ["abc", "bca", "ab", "ab"]


def test_ratios_are_made_within_a_round_of_runs_that_count(results: Results) -> None:
    assert results.ratios("ct", OURS.name, DCMTK_BEST.name) == [2.0, 1.0]
    assert results.ratios("ct", OURS.name, PYNETDICOM_BOTH.name) == [100.0]
    assert results.figure_ratios("start-up", "our echoscu", "python -c pass") == [6.0, 9.0, 7.0]


def test_results_are_kept(results: Results, tmp_path: Path) -> None:
    results.failures.append("echo, our library → our echoscp, round 1: FailedError")
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results


def test_targets_stand_beside_what_was_reached_and_misses_are_plain(results: Results) -> None:
    rows = {name: figures for _, name, *figures in report.reached(results).rows}
    assert rows == {
        "both ours : both DCMTK": ["≥ 1.3×", "1.50×", "reached"],
        "both ours : both pynetdicom": ["≥ 40×", "100×", "reached"],
        "most private memory of either side": ["≤ 48 MiB", "20.0 MiB", "reached"],
        "our echoscu : python -c pass": ["≤ 5×", "7.00×", "missed"],
    }
    assert report.reached(results).bad == {3}


def test_the_page_is_made_of_the_results(results: Results) -> None:
    page = report.page("a <!-- machine -->old<!-- end --> b <!-- tables -->old<!-- end --> c", results)
    assert "old" not in page
    assert "cores 2." in page
    assert "| **start-up** | **our echoscu : python -c pass** | **≤ 5×** | **7.00×** | **missed** |" in page
    assert "| ours → ours | 0.375 | 0.250 – 0.500 | 1.50 | 100 | 0.200 + 0.300 | 10 + 20 | 2 × 400 |" in page
    assert "**Not counted:** ct, ours → ours, round 2: 399 of 400 objects arrived" in page
    assert report.page(page, results) == page


def test_what_was_not_complete_is_printed_loudly(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    report.print_tables(results)
    assert "NOT COUNTED: ct, ours → ours, round 2: 399 of 400 objects arrived" in capsys.readouterr().out


def test_the_page_in_the_documents_is_of_the_results_that_are_kept() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.page(page, Results.read(report.KEPT)) == page


@pytest.mark.thorough
def test_a_picture_is_drawn_the_same_each_time(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only the picture needs it: pip install '.[bench]'")
    for name in ("once.svg", "again.svg"):
        report.draw(results, tmp_path / name)
    drawn = (tmp_path / "once.svg").read_text(encoding="utf-8")
    assert drawn == (tmp_path / "again.svg").read_text(encoding="utf-8")
    assert "1.50" in drawn

"""--metrics: Prometheus is told what really happened, and no peer can add a time series."""

from __future__ import annotations

import http.client
import json
import random
import re
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import dimse
from dimse.__main__ import main
from dimse.logs.security_events import SecurityEvent
from dimse.tools.metrics import BUCKETS, FAMILIES, MOST_AT_ONCE, Endpoint, Measures
from tests.tools import running
from tests.tools.listeners import Listener, Requestor, listening

ROOT = Path(__file__).parents[2]
Labels = frozenset[tuple[str, str]]


def scrape(url: str) -> dict[str, dict[Labels, float]]:
    """Return the samples of an endpoint by name, each by its labels."""
    with urllib.request.urlopen(url, timeout=running.SECONDS) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = answer.read().decode()
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def value(found: Mapping[str, Mapping[Labels, float]], name: str, **labels: str) -> float:
    return found[f"dimse_{name}"][frozenset(labels.items())]


@contextmanager
def measured(name: str, *arguments: object) -> Iterator[tuple[Listener, str]]:
    """Run a listener with metrics on a free port, and yield it with the URL."""
    with listening(name, "-v", "--metrics", 0, *arguments) as listener:
        listener.until("Metrics are at ")
        yield listener, listener.said[-1].rpartition(" ")[2]


@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.thorough)])
def test_what_storescu_sends_is_counted(tmp_path: Path, workers: int) -> None:
    images = [running.Instance(f"1.2.{n}").write(tmp_path / f"{n}.dcm") for n in range(5)]
    wrong = running.Instance("1.2.9", meta=(dimse.uids.SecondaryCaptureImageStorage, "1.2.8")).write(tmp_path / "9.dcm")
    size = len(running.Instance("1.2.0").data_set)
    options = ["-od", tmp_path / "in", "--workers", workers, "--allow-calling", "CT1", "--allow-calling", "CT2"]
    with measured("storescp", *options) as (listener, url):
        for image in images:
            listener.run("storescu", "-aet", "CT1", image)
        listener.run("storescu", "-aet", "CT2", images[0])
        listener.run("echoscu", "-aet", "OTHER", exit_status=1)
        with listener.associate(calling_ae_title="CT2"):
            found = scrape(url)
        assert wrong.exists()
        listener.end()
    assert value(found, "associations_accepted_total", calling_ae_title="CT1") == 5
    assert value(found, "associations_accepted_total", calling_ae_title="CT2") == 2
    assert value(found, "associations_rejected_total", reason="calling_ae_title") == 1
    assert value(found, "associations_open") == 1
    assert value(found, "associations_aborted_total") == 0
    assert value(found, "instances_stored_total", calling_ae_title="CT1") == 5
    assert value(found, "instances_stored_total", calling_ae_title="CT2") == 1
    assert value(found, "instance_bytes_total", calling_ae_title="CT1") == 5 * size
    assert value(found, "store_seconds_count") == 6
    assert 0 < value(found, "store_seconds_sum") < running.SECONDS
    buckets = found["dimse_store_seconds_bucket"]
    assert len(buckets) == len(BUCKETS) + 1 and value(found, "store_seconds_bucket", le="+Inf") == 6
    assert 0 < value(found, "folder_free_bytes") < value(found, "folder_size_bytes")
    assert sum(found["dimse_instances_failed_total"].values()) == 0


def test_failures_are_counted_by_their_reason(tmp_path: Path) -> None:
    first = running.Instance("1.2.3").write(tmp_path / "a.dcm")
    second = running.Instance("1.2.3", rest=running.element(0x0010, 0x0010, "PN", b"Roe")).write(tmp_path / "b.dcm")
    folder = tmp_path / "in"
    with measured("storescp", "-od", folder, "--on-duplicate", "reject", "--require-called") as (listener, url):
        listener.run("storescu", "-aec", "STORESCP", first)
        listener.run("storescu", "-aec", "STORESCP", second, exit_status=3)
        listener.run("storescu", first, exit_status=1)
        folder.rename(tmp_path / "gone")
        listener.run("storescu", "-aec", "STORESCP", first, exit_status=3)
        with Requestor(listener) as raw:
            raw.socket.sendall(b"\xff" * 100)
            while raw.socket.recv(100):
                pass
        found = scrape(url)
        assert "dimse_folder_free_bytes" not in found
        listener.end()
    assert value(found, "instances_failed_total", reason="duplicate") == 1
    assert value(found, "instances_failed_total", reason="out_of_resources") == 1
    assert value(found, "associations_rejected_total", reason="called_ae_title") == 1
    assert value(found, "connections_failed_total", reason="protocol") == 1
    assert value(found, "instances_stored_total", calling_ae_title="other") == 1


def test_echoscp_has_metrics_without_a_disk() -> None:
    with measured("echoscp") as (listener, url):
        listener.echo()
        found = scrape(url)
        assert value(found, "associations_accepted_total", calling_ae_title="other") == 1
        assert "dimse_folder_free_bytes" not in found
        listener.end()


def test_a_thousand_ae_titles_add_no_time_series() -> None:
    measures, chance = Measures(["CT1"], 1), random.Random(14)
    allowed = [chr(code) for code in range(0x21, 0x7F) if chr(code) != "\\"]
    with Endpoint(("127.0.0.1", 0), measures, None) as endpoint:
        endpoint.start()
        before = scrape(endpoint.url)
        with dimse.Server(("127.0.0.1", 0), observe=measures.observe) as server:
            for number in range(1000):
                title = "".join(chance.choices(allowed, k=16))
                dimse.associate(*server.address, contexts=[dimse.Verification], calling_ae_title=title).release()
                measures.observe(SecurityEvent("rejected", ("127.0.0.1", 1), title, title, why=title))
                measures.answered(title, number, 10, 0.1)
        after = scrape(endpoint.url)
    assert {name: samples.keys() for name, samples in after.items()} == {
        name: samples.keys() for name, samples in before.items()
    }
    assert value(after, "associations_accepted_total", calling_ae_title="other") == 1000
    assert value(after, "associations_rejected_total", reason="other") == 1000


def test_every_kind_of_security_event_is_counted() -> None:
    measures = Measures([], 2)
    for measures.worker in (0, 1):
        for kind in ("accepted", "ended", "rejected", "unidentified", "turned away", "tls", "protocol"):
            measures.observe(SecurityEvent(kind, ("127.0.0.1", 1), why="Temporary congestion"))
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in measures.collect()
        for sample in family.samples
        if sample.value and "seconds" not in sample.name
    }
    assert samples == {
        ("dimse_associations_accepted_total", "other"): 2,
        ("dimse_associations_aborted_total",): 2,
        ("dimse_associations_rejected_total", "congestion"): 2,
        ("dimse_associations_rejected_total", "user_identity"): 2,
        ("dimse_connections_failed_total", "network"): 2,
        ("dimse_connections_failed_total", "tls"): 2,
        ("dimse_connections_failed_total", "protocol"): 2,
    }


# --- the endpoint


def test_slow_and_many_readers_are_turned_away() -> None:
    with Endpoint(("127.0.0.1", 0), Measures([], 1), None) as endpoint:
        endpoint.start()
        port = int(endpoint.url.rpartition(":")[2].partition("/")[0])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_AT_ONCE)]
        try:
            with pytest.raises((http.client.HTTPException, OSError)):
                scrape(endpoint.url)
        finally:
            for each in idle:
                each.close()


def test_readers_for_whom_there_is_no_thread_take_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoTimer(threading.Timer):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with Endpoint(("127.0.0.1", 0), Measures([], 1), None) as endpoint:
        endpoint.start()
        with monkeypatch.context() as patched:
            patched.setattr(threading, "Timer", NoTimer)
            for _ in range(2 * MOST_AT_ONCE):
                with pytest.raises((http.client.HTTPException, OSError)):
                    scrape(endpoint.url)
        assert scrape(endpoint.url)


def test_a_port_that_is_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = running.tool("echoscp", "-ba", "127.0.0.1", "--metrics", port, 0)
    assert done.returncode == 1
    assert running.errors(done) == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.parametrize("text", ["x", "70000", "127.0.0.1", "::1:9", ":9", "[::1]"])
def test_an_address_that_cannot_be_is_wrong_usage(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["echoscp", "0", "--metrics", text])
    assert left.value.code == 2
    assert f"argument --metrics: '{text}' is not [HOST:]PORT" in capsys.readouterr().err


def test_the_package_that_is_missing_is_named() -> None:
    script = "import sys; sys.modules['prometheus_client'] = None; from dimse.__main__ import echoscp; echoscp()"
    done = running.run(sys.executable, "-c", script, "0", "--metrics", "0")
    assert done.returncode == 2
    words = "echoscp: error: --metrics needs prometheus-client: pip install 'dimse[metrics]'"
    assert done.stderr.splitlines()[-1] == words


# --- the examples


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_the_examples_name_metrics_that_exist(name: str) -> None:
    text = (ROOT / "docs" / "metrics" / name).read_text()
    named = set(re.findall(r"\bdimse_[a-z_]+", text))
    families = {sample.name for family in Measures([], 1).collect() for sample in family.samples}
    assert len(named) > 3 and named <= families | {"dimse_folder_free_bytes", "dimse_folder_size_bytes"}


def test_the_dashboard_shows_every_family() -> None:
    text = (ROOT / "docs" / "metrics" / "dashboard.json").read_text()
    panels = json.loads(text)["panels"]
    expressions = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    assert [family for family in FAMILIES if f"dimse_{family}" not in expressions] == []

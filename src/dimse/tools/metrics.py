"""The option --metrics: counts and times of a listener, for Prometheus.

The values of labels are names of the command line and fixed words only, so that no peer can add a time series. All workers count
into one table in shared memory, which is as large as there are time series. One process answers for all of them.
"""

from __future__ import annotations

import mmap
import os
import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http.server import ThreadingHTTPServer
from importlib.util import find_spec
from itertools import accumulate
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import dimse
from dimse.association.association import Arrived, BaseAssociation
from dimse.logs.security_events import SecurityEvent
from dimse.message.command import CFindRQ, CGetRQ, CMoveRQ, CStoreRQ
from dimse.services.handling import send_status
from dimse.services.storage import decide_store
from dimse.serving.ports import saying_where
from dimse.support.text import host_and_port
from dimse.support.values import field, fields, value
from dimse.tools.command_line import Parser

if TYPE_CHECKING:
    from prometheus_client.core import Metric

OTHER = "other"

# The upper bounds, in seconds, of the time from the last byte of a data set to its status.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# By the words of a rejection (PS3.8 Table 9-21). No reason is given to a peer whose user identity is at fault.
REJECTIONS = {
    "Called AE title not recognised": "called_ae_title",
    "Calling AE title not recognised": "calling_ae_title",
    "Application context name not supported": "application_context",
    "Protocol version not supported": "protocol_version",
    "Local limit exceeded": "limit",
    "Temporary congestion": "congestion",
    "No reason given": "user_identity",
}

# By the kind of security event: a connection that did not become an association, or that broke the protocol.
CONNECTIONS = {"turned away": "network", "tls": "tls", "protocol": "protocol"}

# By the failure status of a C-STORE, or by its first digits (PS3.4 Table B.2-1, PS3.7 Annex C).
FAILURES = {
    "0110": "processing_failure",
    "0111": "duplicate",
    "A7": "out_of_resources",
    "A9": "data_set_does_not_match",
    "C": "cannot_understand",
}

# Without its prefix `dimse_`: the label of each family, or an empty text, and the words about it.
FAMILIES = {
    "associations_accepted": ("calling_ae_title", "Associations that were accepted"),
    "associations_rejected": ("reason", "Association requests that were rejected"),
    "associations_aborted": ("", "Associations that ended otherwise than by a release"),
    "associations_open": ("", "Associations at the moment"),
    "connections_failed": ("reason", "Connections that were turned away or broke the protocol"),
    "instances_stored": ("calling_ae_title", "Instances that were answered with success or a warning"),
    "instance_bytes": ("calling_ae_title", "Bytes of the data sets of these instances"),
    "instances_failed": ("reason", "Instances that were answered with a failure"),
    "queries": ("calling_ae_title", "Queries (C-FIND) that were answered"),
    "matches": ("calling_ae_title", "Matches that were sent in answer to them"),
    "retrievals": ("calling_ae_title", "Retrievals (C-GET and C-MOVE) that were answered"),
    "instances_sent": ("calling_ae_title", "Instances that were sent in answer to them"),
    "instances_not_sent": ("calling_ae_title", "Instances that could not be sent"),
}


def verify_installed(parser: Parser) -> None:
    """Verify that the package for the metrics is installed.

    Raises:
        SystemExit: It is not (exit status 2).
    """
    if find_spec("prometheus_client") is None:
        parser.error("--metrics needs prometheus-client: pip install 'dimse[metrics]'")


class Measures:
    """The numbers of a listener and all of its workers, each in a row of its own, in memory that they share.

    Args:
        calling_ae_titles: The AE titles that are counted by name; all others are counted together.
        workers: The number of workers.

    Attributes:
        worker: The number of the worker that counts in this process, from 0.
    """

    def __init__(self, calling_ae_titles: Iterable[str], workers: int) -> None:
        words = {
            "associations_accepted": (titles := (*dict.fromkeys(calling_ae_titles), OTHER)),
            "associations_rejected": (*REJECTIONS.values(), OTHER),
            "connections_failed": tuple(CONNECTIONS.values()),
            "instances_stored": titles,
            "instance_bytes": titles,
            "instances_failed": (*FAILURES.values(), OTHER),
            **dict.fromkeys(("queries", "matches", "retrievals", "instances_sent", "instances_not_sent"), titles),
        }
        series = [(family, word) for family in FAMILIES for word in words.get(family, ("",))]
        # Behind the families: a count for each bucket of the times and for those beyond, and the sum of the times.
        self._times = len(series)
        self._width = self._times + len(BUCKETS) + 2
        self._places = {each: place for place, each in enumerate(series)}
        self._table = memoryview(mmap.mmap(-1, 8 * self._width * workers)).cast("d")
        self._lock = threading.Lock()
        self.worker = 0

    def observe(self, event: SecurityEvent) -> None:
        """Count a security event of the server."""
        match event.kind:
            case "accepted":
                self._add("associations_accepted", event.calling_ae_title)
                self._add("associations_open")
            case "ended":
                self._add("associations_open", amount=-1)
                if event.why:
                    self._add("associations_aborted")
            case "rejected":
                self._add("associations_rejected", REJECTIONS.get(event.why, OTHER))
            case "unidentified":
                self._add("associations_rejected", "user_identity")
            case kind:
                self._add("connections_failed", CONNECTIONS[kind])

    def answered(self, calling_ae_title: str, code: int, size: int, seconds: float) -> None:
        """Count a C-STORE that has its status.

        Args:
            calling_ae_title: The AE title of the peer.
            code: The status.
            size: The bytes of the data set.
            seconds: The time from the last byte of the data set to the status.
        """
        status = dimse.Status(code, service="storage")
        if status.is_success or status.is_warning:
            self._add("instances_stored", calling_ae_title)
            self._add("instance_bytes", calling_ae_title, size)
        else:
            digits = f"{code:04X}"
            reason = next((word for begin, word in FAILURES.items() if digits.startswith(begin)), OTHER)
            self._add("instances_failed", reason)
        with self._lock:
            first = self.worker * self._width + self._times
            self._table[first + bisect_left(BUCKETS, seconds)] += 1
            self._table[first + len(BUCKETS) + 1] += seconds

    def queried(self, calling_ae_title: str, matches: int) -> None:
        """Count a query that has its final response."""
        self._add("queries", calling_ae_title)
        self._add("matches", calling_ae_title, matches)

    def retrieved(self, calling_ae_title: str, sent: int, not_sent: int) -> None:
        """Count a retrieval that has its final response, with the instances that were sent, and those that could not be."""
        self._add("retrievals", calling_ae_title)
        self._add("instances_sent", calling_ae_title, sent)
        self._add("instances_not_sent", calling_ae_title, not_sent)

    def _add(self, family: str, word: str = "", amount: float = 1) -> None:
        place = self._places.get((family, word))
        if place is None:
            place = self._places[family, OTHER]
        with self._lock:
            self._table[self.worker * self._width + place] += amount

    def _sum(self, place: int) -> float:
        return sum(self._table[place :: self._width])

    def collect(self) -> Iterator[Metric]:
        """Yield the sums over all workers, as Prometheus takes them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        made: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for (family, word), place in self._places.items():
            label, help_text = FAMILIES[family]
            if family not in made:
                kind = GaugeMetricFamily if family == "associations_open" else CounterMetricFamily
                made[family] = kind(f"dimse_{family}", help_text, labels=[label] if label else [])
            made[family].add_metric([word] if label else [], self._sum(place))
        yield from made.values()
        counts = accumulate(self._sum(self._times + number) for number in range(len(BUCKETS) + 1))
        bounds = (*map(str, BUCKETS), "+Inf")
        help_text = "Seconds from the last byte of a data set to its status"
        yield HistogramMetricFamily(
            "dimse_store_seconds",
            help_text,
            buckets=list(zip(bounds, counts, strict=True)),
            sum_value=self._sum(self._times + len(BUCKETS) + 1),
        )


@value
class MeasuredHandlers(dimse.Handlers):
    """The handlers of a listener: their answers are counted, and those to C-STORE timed."""

    measures: Measures = field(kw_only=True)

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        """Answer a message that is complete."""
        if not isinstance(arrived.message, CStoreRQ):
            # A class of values cannot use `super()`.
            await dimse.Handlers.answer(self, association, arrived)
            self._count(association.peer.ae_title, arrived)
            return
        began = time.monotonic()
        decision = await decide_store(association, arrived, self.store)
        size = getattr(getattr(arrived.request, "sink", None), "size", 0)
        self.measures.answered(association.peer.ae_title, decision.status, size, time.monotonic() - began)
        await send_status(association, arrived, decision)

    def _count(self, calling_ae_title: str, arrived: Arrived) -> None:
        """Count a query or retrieval that has its final response."""
        if isinstance(arrived.message, CFindRQ):
            self.measures.queried(calling_ae_title, getattr(arrived.request, "responses", 0))
        elif isinstance(arrived.message, CGetRQ | CMoveRQ):
            request = arrived.request
            self.measures.retrieved(calling_ae_title, getattr(request, "sent", 0), getattr(request, "not_sent", 0))


def measured(handlers: dimse.Handlers, measures: Measures) -> dimse.Handlers:
    """Return the handlers, with their answers to C-STORE counted and timed."""
    same = {name: getattr(handlers, name) for name in fields(dimse.Handlers)}
    return MeasuredHandlers(**same, measures=measures)


class Disk:
    """The disk of the folder of a listener, which is looked at when Prometheus asks.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield the free and all bytes of the disk; nothing while the folder cannot be found."""
        from prometheus_client.core import GaugeMetricFamily

        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return
        free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
        yield GaugeMetricFamily("dimse_folder_free_bytes", "Free bytes of the disk of the output folder", free)
        yield GaugeMetricFamily("dimse_folder_size_bytes", "Bytes of the disk of the output folder", size)


# --- the endpoint


class Endpoint:
    """The endpoint that Prometheus asks for the metrics, over HTTP.

    Args:
        address: The host and port to listen on.
        measures: The numbers.
        folder: The folder whose disk is reported; None for none.

    Attributes:
        url: The URL of the metrics.

    Raises:
        OSError: The address cannot be bound; its message names it.
    """

    def __init__(self, address: tuple[str, int], measures: Measures, folder: str | None) -> None:
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry()
        for collector in (measures, Disk(folder) if folder is not None else None):
            if collector is not None:
                registry.register(collector)
        with saying_where(*address) as family:
            self._server = _server(address, family, registry)
        self.url = f"http://{host_and_port(self._server.server_name, self._server.server_port)}/metrics"
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to answer, in a thread; workers are to exist already."""
        run = self._server.serve_forever
        self._thread = threading.Thread(target=run, args=(0.1,), name="dimse-metrics", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


MOST_AT_ONCE = 8
"""Connections to the endpoint that are answered at one time; others are closed."""
LONGEST = 10.0
"""Seconds that one of them may take in all."""


def _server(address: tuple[str, int], family: socket.AddressFamily, registry: Any) -> ThreadingHTTPServer:
    """Return an HTTP server of a registry, which listens.

    Raises:
        OSError: The address cannot be bound.
    """
    from prometheus_client import MetricsHandler

    class Server(ThreadingHTTPServer):
        """A server whose peers are limited in number and in time, and write nothing to stderr."""

        address_family = family

        def server_bind(self) -> None:
            # The usual one asks the domain name system for our name.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(self.server_address)
            self.server_address = self.socket.getsockname()
            self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

        def process_request(self, request: Any, client_address: Any) -> None:
            if not free.acquire(blocking=False):
                self.shutdown_request(request)
                return
            try:
                super().process_request(request, client_address)
            except BaseException:
                # The system has no thread for it.
                free.release()
                raise

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            def end() -> None:
                # The peer or the handler may have closed it.
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

            timer = threading.Timer(LONGEST, end)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:
                # The system has no thread for it, and nothing would limit the time.
                self.shutdown_request(request)
                free.release()
                return
            try:
                super().process_request_thread(request, client_address)
            finally:
                timer.cancel()
                free.release()

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore that a peer has gone, or took too long."""

    free = threading.BoundedSemaphore(MOST_AT_ONCE)
    handler: Any = MetricsHandler.factory(registry)
    handler.timeout = LONGEST
    return Server(address, handler)

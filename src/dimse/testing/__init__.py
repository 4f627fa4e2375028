"""Helpers for tests of programs that send, query or retrieve: SCPs in the process of the test, and a peer that fails on demand.

    from dimse.testing import StorageSCP, faulty_peer

    def test_it_sends_the_whole_study() -> None:
        with StorageSCP() as scp:
            my_program("127.0.0.1", scp.port)
            assert [instance.sop_instance_uid for instance in scp.instances] == ["1.2.3", "1.2.4"]

    def test_it_says_so_when_the_peer_is_full() -> None:
        with StorageSCP(status=0xA700) as scp, pytest.raises(MyError):
            my_program("127.0.0.1", scp.port)

    def test_it_gives_up_on_a_peer_that_aborts() -> None:
        with faulty_peer("aborts", after=1) as port, pytest.raises(MyError):
            my_program("127.0.0.1", port)

With pytest, `from dimse.testing import storage_scp` in a conftest.py, or `pytest_plugins = ["dimse.testing"]`, gives every test the
fixture `storage_scp`: a `StorageSCP` that listens.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from dimse.association.association import Arrived, BaseAssociation
from dimse.media import part10
from dimse.services.handlers import EchoRequest, Handlers, StoreRequest
from dimse.serving.server import Server
from dimse.settings import IMPLEMENTATION_CLASS_UID, Limits
from dimse.settings.keywords import InFull
from dimse.support.text import counted
from dimse.support.values import field, value
from dimse.testing.query_retrieve import QueryRetrieveSCP as QueryRetrieveSCP

if TYPE_CHECKING:
    from pydicom import Dataset

LOOPBACK = "127.0.0.1"


@value
class SentInstance:
    """An SOP instance that a `StorageSCP` was sent.

    Attributes:
        sop_class_uid, sop_instance_uid: The UIDs in the C-STORE-RQ.
        transfer_syntax: The UID of the data set's transfer syntax.
        data_set: The encoded data set, byte for byte as received.
        calling_ae_title, called_ae_title: The AE titles of its association.
        message_id: The message ID of its C-STORE-RQ.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    data_set: bytes = field(repr=False)
    calling_ae_title: str
    called_ae_title: str
    message_id: int

    @property
    def size(self) -> int:
        """The length of the data set in bytes."""
        return len(self.data_set)

    def dataset(self) -> Dataset:
        """Return the data set, decoded by pydicom."""
        from io import BytesIO

        from pydicom import dcmread

        meta = part10.FileMeta(
            self.sop_class_uid, self.sop_instance_uid, self.transfer_syntax, IMPLEMENTATION_CLASS_UID
        )
        return dcmread(BytesIO(part10.encode(meta) + self.data_set))


Statuses = int | Iterable[int] | Callable[[SentInstance], int]


# The arguments of a server, but for those that an SCP here gives itself.
_SERVER_OPTIONS = [one for name, one in signature(Server).parameters.items() if name not in ("address", "handlers")]


class StorageSCP:
    """A storage SCP in this process, which keeps received instances in memory.

    It listens on a free port of 127.0.0.1 within its `with` block. By default it accepts C-ECHO and C-STORE for every SOP class.

    Args:
        status: The answer to a C-STORE. Pass one status for all instances, or a function that returns the status of an instance.
            Pass several statuses for the first instances in order; later instances are answered with success.
        options: Arguments of `dimse.Server`: `ae_title`, `contexts`, `transfer_syntaxes`, `tls` ...

    Attributes:
        instances: The received instances in order, whatever their status.
        echoes: The number of C-ECHO requests.
    """

    __signature__ = InFull(lambda: _SERVER_OPTIONS)

    def __init__(self, status: Statuses = 0x0000, **options: Any) -> None:
        self.instances: list[SentInstance] = []
        self.echoes = 0
        self._status = status if isinstance(status, int) or callable(status) else iter(status)
        self._came = threading.Condition()
        handlers = Handlers(echo=self._echo, store=self._store)
        self._server = Server((LOOPBACK, 0), handlers, **{"accept_unknown": "contexts" not in options, **options})

    @property
    def port(self) -> int:
        """The port on 127.0.0.1.

        Raises:
            RuntimeError: The `with` block has not been entered.
        """
        return self._server.address[1]

    @property
    def sop_instance_uids(self) -> list[str]:
        """The SOP Instance UIDs of `instances`."""
        return [instance.sop_instance_uid for instance in self.instances]

    def wait(self, instances: int, seconds: float = 10) -> list[SentInstance]:
        """Wait for programs that send in the background, and return the instances received.

        Args:
            instances: The number of instances to wait for, counted from the start.
            seconds: The longest wait, in seconds.

        Raises:
            TimeoutError: Fewer instances arrived in time.
        """
        with self._came:
            if not self._came.wait_for(lambda: len(self.instances) >= instances, seconds):
                raise TimeoutError(
                    f"{len(self.instances)} of {counted(instances, 'instance')} came in {seconds} seconds"
                )
            return list(self.instances)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def _echo(self, request: EchoRequest) -> int:
        with self._came:
            self.echoes += 1
        return 0x0000

    def _store(self, request: StoreRequest) -> int:
        instance = SentInstance(
            request.sop_class_uid,
            request.sop_instance_uid,
            request.context.transfer_syntax,
            bytes(request.view()),
            request.peer.ae_title,
            request.called_ae_title,
            request.message_id,
        )
        with self._came:
            self.instances.append(instance)
            self._came.notify_all()
            if isinstance(self._status, int):
                return self._status
            if isinstance(self._status, Iterator):
                return next(self._status, 0x0000)
        return self._status(instance)


Fault = Literal["silent", "rejects", "never answers", "fails", "aborts", "closes", "nonsense"]


@contextmanager
def faulty_peer(fault: Fault, *, after: int = 0, status: int = 0x0110) -> Iterator[int]:
    """Run a peer with a fault on a free port of 127.0.0.1. It accepts every SOP class.

    Args:
        fault: "silent": accepts the connection and sends nothing.
            "rejects": answers an association request with A-ASSOCIATE-RJ (transient, local limit exceeded).
            "never answers": receives a message and never sends the response.
            "fails": answers a message with `status`.
            "aborts": sends A-ABORT instead of the response.
            "closes": closes the connection instead.
            "nonsense": sends bytes that are not DICOM instead.
        after: The number of messages, over all associations, that are answered with success first.
        status: The status for "fails".

    Yields:
        The port.

    Raises:
        ValueError: The fault is unknown.
    """
    if fault not in get_args(Fault):
        raise ValueError(f"{fault!r} is not a fault; choose from {', '.join(get_args(Fault))}")
    limits = Limits(associations=0) if fault == "rejects" else Limits()
    server = Server(
        (LOOPBACK, 0), _FaultyHandlers(fault=fault, after=after, status=status), accept_unknown=True, limits=limits
    )
    if fault == "silent":
        # The system accepts connections on a listening socket without our help.
        with server.listen():
            yield server.address[1]
        return
    with server:
        yield server.address[1]


@value
class _FaultyHandlers(Handlers):
    """The handlers of a faulty peer, which answer `after` messages with success and then show the fault."""

    fault: Fault = "fails"
    after: int = 0
    status: int = 0x0110
    answered: Iterator[int] = field(default_factory=count)

    async def answer(self, association: BaseAssociation, arrived: Arrived) -> None:
        """Answer a message, or show the fault instead."""
        if next(self.answered) < self.after:
            await _SUCCESS.answer(association, arrived)
        elif self.fault == "fails":
            await _always(self.status).answer(association, arrived)
        elif self.fault == "aborts":
            association.abort()
        elif self.fault == "closes":
            association.pump.transport.wake()
        elif self.fault == "nonsense":
            association.pump.transport.send_now(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _always(status: int) -> Handlers:
    return Handlers(echo=lambda request: status, store=lambda request: status)


_SUCCESS = _always(0x0000)


# --- the pytest fixture ---


def __getattr__(name: str) -> Any:
    """Return the fixture `storage_scp`, which loads pytest on first use."""
    if name != "storage_scp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise AttributeError(f"the fixture {name!r} of {__name__!r} needs pytest, which is not installed") from error

    def storage_scp() -> Iterator[StorageSCP]:
        """Yield a storage SCP that listens on a free port of 127.0.0.1 during the test."""
        with StorageSCP() as scp:
            yield scp

    return pytest.fixture(storage_scp)


def __dir__() -> list[str]:
    """Return the names of this module; with pytest also the fixture, for which it searches a plugin."""
    return [*globals(), "storage_scp"] if "pytest" in sys.modules else [*globals()]

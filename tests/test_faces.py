"""The two public faces: the same names, the same manners, and nothing sent for an argument that cannot be."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio, uids
from dimse.errors import AssociationAborted, AssociationReleased, ConnectError, LocalProtocolError
from tests.drivers import CT_IN_EXPLICIT_VR, LOOPBACK, Received, make_instance, serving
from tests.faulty_peer import A_ABORT, A_ASSOCIATE_RQ, A_RELEASE_RQ, P_DATA_TF, Connection, FaultyPeer
from tests.transport.test_transport import deaf

CONTEXTS: list[str | dimse.ProposedContext] = [dimse.Verification, CT_IN_EXPLICIT_VR]
SOURCE = str(Path(__file__).parents[1] / "src")
OPERATIONS = ("echo", "store", "store_many", "serve", "release", "abort")


def serve(connection: Connection) -> None:
    connection.accept()
    connection.serve()


def test_every_public_name_is_there() -> None:
    for module in (dimse, aio):
        for name in module.__all__:
            assert getattr(module, name) is not None
    assert sorted(dimse.__all__) == sorted(set(dimse.__all__))


def test_what_the_package_has_is_loaded_when_it_is_first_asked_for() -> None:
    program = (
        "import sys, dimse\n"
        "print('dimse.uids' in sys.modules, dimse.uids.CTImageStorage, 'dimse.blocking' in sys.modules)\n"
        "print(dimse.DimseError.__name__, 'dimse.blocking' in sys.modules, 'Server' in dir(dimse))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False 1.2.840.10008.5.1.4.1.1.2 False\nDimseError True True\n"


def test_the_package_shows_its_public_names_and_modules_and_nothing_else() -> None:
    modules = {"aio", "archive", "errors", "retrieving", "sending", "testing", "uids"}
    assert {name for name in dir(dimse) if not name.startswith("__")} == {*dimse.__all__, *modules} - {"__version__"}
    for name in modules:
        assert getattr(dimse, name) is sys.modules[f"dimse.{name}"]


MISTAKES = """
import dimse
dimse.uids.CTImageStorage
dimse.uids.Verificaton
dimse.archive.FileStore("incoming").handlers()
dimse.archive.FileStor("incoming")
dimse.associate("127.0.0.1", 104, contexts=[dimse.Verification], called_ae_title="ARCHIVE")
dimse.associate("127.0.0.1", 104, contexts=[dimse.Verification], called_ae_title=5)
dimse.associate("127.0.0.1", 104, contexts=[dimse.Verification], called_aet="ARCHIVE")
dimse.Server(("127.0.0.1", 104), ae_title="ARCHIVE", acceptor=dimse.Acceptor(require_called=True))
dimse.Server(("127.0.0.1", 104), acceptor=dimse.Requestor([dimse.Verification]))
dimse.aio.associate("127.0.0.1", 104, requestor=dimse.Requestor(["Verification"]), async_ops="4")
"""


@pytest.mark.thorough
def test_a_type_checker_finds_what_is_misspelt_or_of_the_wrong_type(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(MISTAKES)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        str(tmp_path),
        str(program),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"MYPYPATH": SOURCE})
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert found == {4, 6, 8, 9, 11, 12}, done.stdout


@pytest.mark.parametrize("name", ["nothing", "Nothing", "_nothing", "__wrapped__"])
def test_what_the_package_has_not_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'"):
        getattr(dimse, name)


def test_both_faces_have_the_same_operations() -> None:
    for name in OPERATIONS:
        blocking, asynchronous = getattr(dimse.Association, name), getattr(aio.Association, name)
        assert blocking.__name__ == asynchronous.__name__ == name
        assert inspect.getdoc(blocking)
        assert not inspect.iscoroutinefunction(blocking)
    assert inspect.getdoc(dimse.associate) == inspect.getdoc(aio.associate)
    assert "Raises:" in (inspect.getdoc(dimse.associate) or "")


def test_the_blocking_face(tmp_path: Path) -> None:
    received = Received()
    instances = [make_instance(tmp_path, number) for number in (1, 2, 3)]
    with (
        dimse.Server((LOOPBACK, 0), received.handlers, ae_title="ARCHIVE") as server,
        dimse.associate(*server.address, contexts=CONTEXTS, called_ae_title="ARCHIVE") as association,
    ):
        assert association.echo().is_success
        assert association.store(instances[0].path) == 0
        outcomes = list(association.store_many([instance.path for instance in instances[1:]]))
        assert [(outcome.path, outcome.status) for outcome in outcomes] == [
            (str(instance.path), 0) for instance in instances[1:]
        ]
        association.serve(timeout=0.01)
        assert [context.accepted for context in association.contexts] == [True, True]
        assert association.peer == dimse.Peer(
            "ARCHIVE",
            association.peer.implementation_class_uid,
            f"DIMSE_{dimse.__version__.replace('.', '_')}",
            server.address,
        )
        assert association.connect_seconds > 0 and association.negotiate_seconds > 0
    assert not association.open
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}


def test_the_asyncio_face(tmp_path: Path) -> None:
    received = Received()
    instances = [make_instance(tmp_path, number) for number in (1, 2, 3)]

    async def scenario() -> None:
        async with aio.Server((LOOPBACK, 0), received.handlers) as server:
            async with aio.associate(*server.address, contexts=CONTEXTS) as association:
                assert (await association.echo()).is_success
                assert await association.store(instances[0].path) == 0
                sources = [instance.path for instance in instances[1:]]
                outcomes = [outcome async for outcome in association.store_many(sources)]
                assert [outcome.status for outcome in outcomes] == [0, 0]
                await association.serve(timeout=0.01)
            awaited = await aio.associate(*server.address, contexts=CONTEXTS)
            assert await awaited.echo() == 0
            await awaited.release()
            assert (association.open, awaited.open) == (False, False)

    asyncio.run(scenario())
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}


def test_leaving_by_an_exception_aborts_on_both_faces() -> None:
    async def leave_asynchronously(port: int) -> None:
        async with aio.associate(LOOPBACK, port, contexts=CONTEXTS) as association:
            await association.echo()
            raise KeyError("mine")

    def leave(port: int) -> None:
        with dimse.associate(LOOPBACK, port, contexts=CONTEXTS) as association:
            association.echo()
            raise KeyError("mine")

    for leaving in (leave, lambda port: asyncio.run(leave_asynchronously(port))):
        peer = FaultyPeer(serve)
        with peer as port, pytest.raises(KeyError, match="mine"):
            leaving(port)
        assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, P_DATA_TF, A_ABORT]
        assert peer.connections[0].abort == (0, 0)


def test_release_and_abort_within_the_block() -> None:
    for end, last in (("release", A_RELEASE_RQ), ("abort", A_ABORT)):
        peer = FaultyPeer(serve)
        with peer as port, dimse.associate(LOOPBACK, port, contexts=CONTEXTS) as association:
            getattr(association, end)()
            with pytest.raises((AssociationAborted, AssociationReleased)):
                association.echo()
            getattr(association, end)()
        assert peer.connections[0].pdu_types == [A_ASSOCIATE_RQ, last]


def test_abort_from_another_thread_wakes_the_blocking_face() -> None:
    waits = threading.Event()

    def silent(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        waits.set()
        connection.drain()

    with FaultyPeer(silent) as port:
        association = dimse.associate(LOOPBACK, port, contexts=CONTEXTS)

        def abort() -> None:
            waits.wait()
            association.abort()

        thread = threading.Thread(target=abort)
        thread.start()
        with pytest.raises(AssociationAborted):
            association.echo()
        thread.join()
        association.release()  # nothing is left to release


def test_a_loop_over_outcomes_may_be_left_early(tmp_path: Path) -> None:
    received = Received()
    sources = [make_instance(tmp_path, number).path for number in range(1, 6)]
    with serving(handlers=received.handlers) as port, dimse.associate(LOOPBACK, port, contexts=CONTEXTS) as association:
        for outcome in association.store_many(sources):
            assert outcome.status == 0
            if outcome.path == str(sources[1]):
                break
        assert association.echo() == 0
    assert len(received.data_sets) == 2


def test_within_the_loop_over_outcomes_other_operations_are_possible(tmp_path: Path) -> None:
    sources = [make_instance(tmp_path, number).path for number in range(1, 4)]
    with (
        serving(handlers=Received().handlers) as port,
        dimse.associate(LOOPBACK, port, contexts=CONTEXTS) as association,
    ):
        for outcome in association.store_many(sources):
            assert outcome.status == 0
            assert association.echo() == 0


def test_a_handler_must_not_use_the_association_that_it_serves() -> None:
    raised: list[BaseException] = []
    made: list[dimse.Association] = []

    def ask_back(_: dimse.EchoRequest) -> int:
        try:
            made[0].echo()
        except LocalProtocolError as error:
            raised.append(error)
        return 0

    def asks(connection: Connection) -> None:
        from tests.association.peers import ECHO_RQ

        connection.accept()
        message = connection.read_message()
        connection.send(ECHO_RQ())
        connection.read_message()
        connection.respond(message)
        connection.serve()

    handlers = dimse.Handlers(echo=ask_back)
    with (
        FaultyPeer(asks) as port,
        dimse.associate(LOOPBACK, port, contexts=CONTEXTS, handlers=handlers) as association,
    ):
        made.append(association)
        assert association.echo() == 0
    assert len(raised) == 1


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"contexts": []}, "1 to 128 presentation contexts, not 0"),
    ({"contexts": [f"1.2.{number}" for number in range(129)]}, "1 to 128 presentation contexts, not 129"),
    ({"contexts": [("1.2", [])]}, "no transfer syntax"),
    ({"calling_ae_title": ""}, "1 to 16 characters, not 0"),
    ({"called_ae_title": "X" * 17}, "1 to 16 characters, not 17"),
    ({"called_ae_title": "BACK\\SLASH"}, "no backslash"),
    ({"calling_ae_title": "M\u00dcLLER"}, "printable ASCII"),
    ({"maximum_length": 100}, "4096 to 4294967295"),
    ({"async_ops": -1}, "asynchronous operations window"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_an_argument_that_cannot_be_is_refused_before_anything_is_sent(arguments: dict[str, Any], words: str) -> None:
    peer = FaultyPeer(serve)
    arguments = {"contexts": CONTEXTS, **arguments}
    with peer as port:
        with pytest.raises(ValueError, match=words):
            dimse.associate(LOOPBACK, port, **arguments)
        with pytest.raises(ValueError, match=words):
            asyncio.run(_associate(port, arguments))
    assert not peer.connections


async def _associate(port: int, arguments: dict[str, Any]) -> aio.Association:
    return await aio.associate(LOOPBACK, port, **arguments)


def test_contexts_are_given_in_short_or_in_full() -> None:
    peer = FaultyPeer(serve)
    given: list[Any] = [
        uids.Verification,
        (uids.CTImageStorage, [uids.JPEGBaseline8Bit]),
        dimse.ProposedContext(uids.MRImageStorage, (uids.ImplicitVRLittleEndian,)),
    ]
    with peer as port, dimse.associate(LOOPBACK, port, contexts=given):
        pass
    proposed = [(context.abstract_syntax, context.transfer_syntaxes) for context in peer.connections[0].contexts]
    assert proposed == [
        (
            uids.Verification,
            [
                uids.ExplicitVRLittleEndian,
                uids.ImplicitVRLittleEndian,
                uids.DeflatedExplicitVRLittleEndian,
                uids.ExplicitVRBigEndian,
            ],
        ),
        (uids.CTImageStorage, [uids.JPEGBaseline8Bit]),
        (uids.MRImageStorage, [uids.ImplicitVRLittleEndian]),
    ]


@pytest.mark.parametrize("associate", [dimse.associate, lambda *args, **kwargs: asyncio.run(_waiting(*args, **kwargs))])
def test_a_host_that_does_not_accept_is_given_up(associate: Callable[..., object]) -> None:
    with deaf() as port, pytest.raises(ConnectError, match="Connection timed out"):
        associate(LOOPBACK, port, contexts=CONTEXTS, timeouts=dimse.Timeouts(connect=0.1))


async def _waiting(*args: Any, **kwargs: Any) -> aio.Association:
    return await aio.associate(*args, **kwargs)


@pytest.mark.parametrize("wait", ["connect", "acse", "dimse", "network", "idle"])
@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_timeout_is_a_number_of_seconds(wait: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"the {wait} timeout is"):
        dimse.Timeouts(**{wait: seconds})

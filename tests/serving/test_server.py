"""Servers of both faces: whom they admit, what they survive, and that nothing is left when they end."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio, uids
from dimse.errors import AssociationAborted, AssociationError, AssociationRejected
from dimse.message.command import NCreateRQ
from dimse.services import Association
from dimse.settings import Limits, ProposedContext, Timeouts
from tests.drivers import (
    ASYNCIO,
    BLOCKING,
    CT_IN_EXPLICIT_VR,
    LOOPBACK,
    Driver,
    Face,
    Instance,
    Received,
    errors,
    make_instance,
    on_both_faces,
    on_each_driver,
    open_descriptors,
    running,
    serving,
    tls_contexts,
    with_each_driver,
)
from tests.faulty_peer import A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RQ, item, pdu

LONG = 30.0  # seconds: nothing here waits that long
SOON = 0.15  # seconds: a deadline to pass
AT_ONCE = 5.0  # seconds: far below LONG

A_ASSOCIATE_RQ_FOR_VERIFICATION = pdu(
    A_ASSOCIATE_RQ,
    b"\0\1\0\0"
    + b"ANY-SCP".ljust(16)
    + b"RAW".ljust(16)
    + bytes(32)
    + item(0x10, b"1.2.840.10008.3.1.1.1")
    + item(0x20, b"\1\0\0\0" + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2"))
    + item(0x50, item(0x51, b"\0\0\x40\0") + item(0x52, b"1.2.3")),
)


def associate(port: int, **options: Any) -> dimse.Association:
    return dimse.associate(LOOPBACK, port, **{"contexts": [dimse.Verification], **options})


@contextmanager
def connection(port: int) -> Iterator[socket.socket]:
    """Yield a bare connection, on which the test itself sends the bytes."""
    with socket.create_connection((LOOPBACK, port), timeout=LONG) as connected:
        yield connected


def read_to_the_end(connected: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionResetError):
        while data := connected.recv(65536):
            received += data
    return received


def read_pdu_type(connected: socket.socket) -> int:
    header = connected.recv(6, socket.MSG_WAITALL)
    connected.recv(int.from_bytes(header[2:]), socket.MSG_WAITALL)
    return header[0]


# --- whom it admits ---


@on_both_faces
def test_it_accepts_verification_and_what_its_handlers_take(face: Face) -> None:
    proposed = [dimse.Verification, uids.CTImageStorage, "1.2.3.4"]
    with serving(face) as port, associate(port, contexts=proposed) as association:
        assert [context.result for context in association.contexts] == [0, 3, 3]
    with serving(face, Received().handlers) as port, associate(port, contexts=proposed) as association:
        assert [context.result for context in association.contexts] == [0, 0, 3]
    with serving(face, accept_unknown=True) as port, associate(port, contexts=proposed) as association:
        assert [context.result for context in association.contexts] == [0, 0, 0]
    with serving(face, contexts=["1.2.3.4"]) as port, associate(port, contexts=proposed) as association:
        assert [context.result for context in association.contexts] == [3, 3, 0]


@on_both_faces
def test_it_chooses_the_transfer_syntax(face: Face) -> None:
    explicit, implicit = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian
    proposed = [
        ProposedContext(dimse.Verification, (explicit, implicit)),
        ProposedContext("1.2.3", (uids.JPEGBaseline8Bit,)),
    ]
    for options, chosen in (
        ({}, explicit),
        ({"transfer_syntaxes": [implicit, explicit]}, explicit),
        ({"transfer_syntaxes": [implicit, explicit], "prefer_ours": True}, implicit),
        ({"transfer_syntaxes": [implicit]}, implicit),
    ):
        with (
            serving(face, contexts=[dimse.Verification, "1.2.3"], **options) as port,
            associate(port, contexts=proposed) as association,
        ):
            verification, other = association.contexts
            assert (verification.transfer_syntax, other.result) == (chosen, 0 if not options else 4)


@on_both_faces
def test_it_rejects_by_ae_title(face: Face) -> None:
    with serving(face, ae_title="ARCHIVE", require_called=True, calling_ae_titles=["CT1", "CT2"]) as port:
        for called, calling, reason in (("ANY-SCP", "CT1", 7), ("ARCHIVE", "CT3", 3)):
            with pytest.raises(AssociationRejected) as raised:
                associate(port, called_ae_title=called, calling_ae_title=calling)
            assert (raised.value.result, raised.value.source, raised.value.reason) == (1, 1, reason)
        with associate(port, called_ae_title="ARCHIVE", calling_ae_title="CT2") as association:
            assert association.echo() == 0


@on_both_faces
def test_beyond_its_associations_it_rejects_for_now(face: Face) -> None:
    # Every peer here has one address, and by default one address may not have all of them.
    with serving(face, limits=Limits(associations=2, per_address=0)) as port:
        first, second = associate(port), associate(port)
        for _ in range(3):
            with pytest.raises(AssociationRejected) as raised:
                associate(port)
            assert (raised.value.result, raised.value.source, raised.value.reason) == (2, 3, 2)
        assert first.echo() == second.echo() == 0
        first.release()
        with _once_there_is_room(port) as association:
            assert association.echo() == 0
        second.abort()


def _once_there_is_room(port: int) -> dimse.Association:
    """Associate; the place of an association is free a moment after its peer has gone."""
    give_up = time.monotonic() + AT_ONCE
    while True:
        try:
            return associate(port)
        except AssociationRejected:
            assert time.monotonic() < give_up


@on_both_faces
def test_connections_without_a_request_have_their_own_limit(face: Face) -> None:
    with serving(face, limits=Limits(associations=1, half_open=2)) as port, ExitStack() as stack:
        waiting = [stack.enter_context(connection(port)) for _ in range(4)]
        for oldest in waiting[:2]:
            assert read_to_the_end(oldest) == b""
        waiting[3].sendall(A_ASSOCIATE_RQ_FOR_VERIFICATION)
        assert read_pdu_type(waiting[3]) == A_ASSOCIATE_AC


@on_both_faces
@on_each_driver
async def test_a_service_that_it_does_not_have_is_refused(driver: Driver, face: Face) -> None:
    contexts = [dimse.Verification, uids.ModalityPerformedProcedureStep]
    with serving(face, contexts=contexts) as port:
        async with await driver.associate(port, contexts) as association:
            create = NCreateRQ(message_id=1, affected_sop_class_uid=contexts[1], has_data_set=True)
            response = await association.exchange(association.context_for(contexts[1]), create, bytes(100))
            assert response.status == 0x0211
            assert await association.echo() == 0


# --- what it survives ---


@on_both_faces
def test_a_silent_peer_is_closed_at_the_deadline(face: Face) -> None:
    with serving(face, timeouts=Timeouts(acse=SOON)) as port, connection(port) as idle:
        started = time.monotonic()
        # Without an association there is nothing to abort (PS3.8 AA-2).
        assert read_to_the_end(idle) == b""
        assert time.monotonic() - started < AT_ONCE


@on_both_faces
def test_a_peer_that_sends_its_request_too_slowly_is_closed_at_the_deadline(face: Face) -> None:
    with serving(face, timeouts=Timeouts(acse=SOON)) as port, connection(port) as slow:
        started = time.monotonic()
        slow.settimeout(0.01)
        for byte in A_ASSOCIATE_RQ_FOR_VERIFICATION:
            try:
                slow.sendall(bytes([byte]))
                assert slow.recv(1000) == b""
                break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("it waited")
        assert time.monotonic() - started < AT_ONCE


@on_both_faces
def test_an_idle_association_is_aborted_at_the_deadline(face: Face) -> None:
    with (
        serving(face, timeouts=Timeouts(idle=SOON)) as port,
        associate(port) as association,
        pytest.raises(AssociationAborted),
    ):
        association.serve()


@pytest.mark.usefixtures("brief_linger")
@on_both_faces
@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"SSH-2.0-x\r\n", bytes(1 << 20), b"\xff" * (1 << 20)],
    ids=["HTTP", "TLS", "SSH", "zeros", "ones"],
)
def test_what_is_no_dicom_is_answered_by_an_abort(face: Face, data: bytes) -> None:
    with serving(face) as port:
        with connection(port) as stranger:
            with suppress(OSError):  # it may be closed meanwhile
                stranger.sendall(data)
            answer = read_to_the_end(stranger)
            assert not answer or (answer[0] == A_ABORT and len(answer) == 10)
        with associate(port) as association:
            assert association.echo() == 0


@on_both_faces
def test_a_connection_that_is_only_opened_and_closed_is_no_news(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face) as port:
        for _ in range(10):
            with connection(port):
                pass
        with associate(port) as association:
            assert association.echo() == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@on_both_faces
def test_the_failure_of_one_association_does_not_affect_others(face: Face, tmp_path: Path) -> None:
    received, instance = Received(), make_instance(tmp_path, pixels=1 << 20)
    with (
        serving(face, received.handlers) as port,
        associate(port, contexts=[CT_IN_EXPLICIT_VR]) as association,
        connection(port) as bad,
    ):
        bad.sendall(A_ASSOCIATE_RQ_FOR_VERIFICATION)
        assert read_pdu_type(bad) == A_ASSOCIATE_AC
        bad.sendall(pdu(A_ASSOCIATE_AC, bytes(68)))
        assert read_to_the_end(bad) == pdu(A_ABORT, bytes([0, 0, 2, 2]))
        assert association.store(instance.path) == 0
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set}


@on_both_faces
def test_when_descriptors_run_out_it_waits_for_some_to_come_back(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    complained = threading.Event()

    class Complaint(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "cannot accept" in record.getMessage():
                complained.set()

    handler = Complaint()
    with serving(face) as port, socket.socket() as mine:
        highest = mine.fileno()
        logging.getLogger("dimse").addHandler(handler)
        try:
            mine.settimeout(LONG)
            with open("/dev/null", "rb") as last:
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(highest, last.fileno()) + 1, hard))
                with ExitStack() as stack:
                    _use_up_descriptors(stack)
                    mine.connect((LOOPBACK, port))
                    assert complained.wait(LONG)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            mine.sendall(A_ASSOCIATE_RQ_FOR_VERIFICATION)
            assert read_pdu_type(mine) == A_ASSOCIATE_AC
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            logging.getLogger("dimse").removeHandler(handler)
    assert len([record for record in caplog.records if "cannot accept" in record.getMessage()]) < 20


def _use_up_descriptors(stack: ExitStack) -> None:
    with suppress(OSError):
        while True:
            stack.callback(os.close, os.open("/dev/null", os.O_RDONLY))


@on_both_faces
@with_each_driver
def test_descriptors_above_1024_are_like_others(driver: Driver, face: Face, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("no more than 1024 descriptors are allowed here")
    received, instance = Received(), make_instance(tmp_path, pixels=1 << 20)

    async def scenario(port: int) -> None:
        async with await driver.associate(port) as association:
            assert association.pump.transport._plain.fileno() > 1024
            assert await association.echo() == 0
            assert await association.store(instance.path) == 0

    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        with ExitStack() as stack:
            for _ in range(1100):
                stack.enter_context(open("/dev/null", "rb"))
            with serving(face, received.handlers) as port:
                driver.run(scenario(port))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set}


# --- many at once ---

ASSOCIATIONS, OBJECTS = 20, 10


async def send_all(driver: Driver, port: int, instances: list[Instance]) -> list[int | None]:
    async with await driver.associate(port) as association:
        sources = [instance.path for instance in instances]
        return [outcome.status async for outcome in association.store_many(sources)]


@pytest.mark.sample("blocking-threads", "asyncio-asyncio")
@on_both_faces
@with_each_driver
def test_many_associations_at_once_keep_everything_apart(driver: Driver, face: Face, tmp_path: Path) -> None:
    received = Received()
    instances = [make_instance(tmp_path, 1 + n, pixels=2000 + 10_000 * (n % 30)) for n in range(ASSOCIATIONS * OBJECTS)]
    shares = [instances[start::ASSOCIATIONS] for start in range(ASSOCIATIONS)]

    async def on_one_loop(port: int) -> list[list[int | None]]:
        return await asyncio.gather(*(send_all(driver, port, share) for share in shares))

    with serving(face, received.handlers) as port:
        if driver is ASYNCIO:
            statuses = asyncio.run(on_one_loop(port))
        else:
            with ThreadPoolExecutor(ASSOCIATIONS) as executor:
                statuses = list(executor.map(lambda share: BLOCKING.run(send_all(BLOCKING, port, share)), shares))
    assert statuses == [[0] * OBJECTS] * ASSOCIATIONS
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set for instance in instances}


def test_on_one_loop_the_number_of_a_closed_descriptor_is_used_again() -> None:
    used_again = 0

    async def scenario(port: int) -> None:
        nonlocal used_again
        for _ in range(30):
            associations = [await ASYNCIO.associate(port) for _ in range(3)]
            numbers = {association.pump.transport._plain.fileno() for association in associations}
            waiting = [asyncio.create_task(association.serve()) for association in associations]
            await asyncio.sleep(0)  # their turn to wait
            for association in associations:
                association.abort()
            async with await ASYNCIO.associate(port) as fresh:
                results = await asyncio.gather(*waiting, return_exceptions=True)
                assert [type(result) for result in results] == [AssociationAborted] * 3
                assert await fresh.echo() == 0
            async with await ASYNCIO.associate(port) as again:
                used_again += again.pump.transport._plain.fileno() in numbers
                assert await again.echo() == 0

    with serving("asyncio") as port:
        asyncio.run(scenario(port))
    assert used_again


# --- its end ---


@on_both_faces
def test_two_servers_on_one_port_are_one_too_many(face: Face) -> None:
    with serving(face) as port:
        in_use = f"cannot listen on 127.0.0.1:{port}: Address already in use"
        with pytest.raises(OSError, match=in_use), serving(face, address=(LOOPBACK, port)):
            pass
        with associate(port) as association:
            assert association.echo() == 0
    with serving(face, address=(LOOPBACK, port)) as again:
        assert again == port


@on_both_faces
def test_an_address_that_is_not_here_says_so(face: Face) -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:104"), serving(face, address=("192.0.2.1", 104)):
        pass


@on_both_faces
def test_it_listens_on_ipv6(face: Face) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with (
        serving(face, address=("::1", 0)) as port,
        dimse.associate("::1", port, contexts=[dimse.Verification]) as association,
    ):
        assert association.echo() == 0
        assert association.peer.address == ("::1", port)


def test_without_listening_it_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="does not listen"):
        dimse.Server((LOOPBACK, 0)).address


@on_both_faces
def test_its_end_aborts_and_leaves_nothing(face: Face) -> None:
    threads, descriptors = threading.active_count(), open_descriptors()
    with ExitStack() as stack:
        with serving(face) as port:
            established = [stack.enter_context(connection(port)) for _ in range(5)]
            for connected in established:
                connected.sendall(A_ASSOCIATE_RQ_FOR_VERIFICATION)
                assert read_pdu_type(connected) == A_ASSOCIATE_AC
            half_open = [stack.enter_context(connection(port)) for _ in range(3)]
            half_open[0].sendall(A_ASSOCIATE_RQ_FOR_VERIFICATION[:50])
            # After this one, the others have been taken in.
            with associate(port) as association:
                assert association.echo() == 0
            started = time.monotonic()
        assert time.monotonic() - started < AT_ONCE
        assert threading.active_count() == threads
        for connected in established:
            assert read_to_the_end(connected) == pdu(A_ABORT, bytes(4))
        for connected in half_open:
            read_to_the_end(connected)
    assert open_descriptors() == descriptors
    with pytest.raises(dimse.ConnectError, match="Connection refused"):
        associate(port)


@on_both_faces
def test_connections_that_come_and_go_leave_nothing(face: Face) -> None:
    with serving(face) as port:
        with associate(port) as association:
            association.echo()
        threads, descriptors = threading.active_count(), open_descriptors()
        for number in range(200):
            with connection(port) as connected:
                connected.sendall(A_ASSOCIATE_RQ_FOR_VERIFICATION[: number % 3 * 40])
        for _ in range(50):
            with associate(port) as association:
                association.echo()
        give_up = time.monotonic() + AT_ONCE
        while threading.active_count() > threads or open_descriptors() > descriptors:
            assert time.monotonic() < give_up, (threading.active_count(), open_descriptors(), threads, descriptors)


@on_both_faces
def test_a_server_that_ends_at_once_leaves_nothing(face: Face) -> None:
    descriptors = open_descriptors()
    with serving(face):
        pass
    assert open_descriptors() == descriptors


def test_a_loop_that_never_ran_the_server_leaves_nothing() -> None:
    async def scenario() -> None:
        async with aio.Server((LOOPBACK, 0)):
            pass
        server = aio.Server((LOOPBACK, 0))
        server.start()
        connected = socket.create_connection(server.address)
        await asyncio.sleep(0)
        await server.shutdown()
        connected.close()

    descriptors = open_descriptors()
    asyncio.run(scenario())
    assert open_descriptors() == descriptors


def test_serve_forever_ends_with_shutdown() -> None:
    with dimse.Server((LOOPBACK, 0)) as server:
        port = server.address[1]
        threading.Timer(SOON, server.shutdown).start()
        server.serve_forever()
        with pytest.raises(dimse.ConnectError):
            associate(port)


def test_on_a_loop_serve_forever_ends_with_its_task() -> None:
    async def scenario() -> None:
        async with aio.Server((LOOPBACK, 0)) as server:
            serving_task = asyncio.create_task(server.serve_forever())
            async with await ASYNCIO.associate(server.address[1]) as association:
                assert await association.echo() == 0
            serving_task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving_task

    asyncio.run(scenario())


# --- TLS ---


@pytest.mark.sample("blocking-threads", "asyncio-asyncio")
@on_both_faces
@on_each_driver
async def test_an_association_over_tls(driver: Driver, face: Face, tmp_path: Path) -> None:
    contexts = tls_contexts()
    received, instance = Received(), make_instance(tmp_path, pixels=5 << 20)
    with serving(face, received.handlers, tls=contexts.server) as port:
        async with await driver.associate(port, tls=contexts.client, handlers=dimse.Handlers()) as association:
            started = time.monotonic()
            # The session tickets that come first are no message.
            await association.serve(timeout=SOON)
            assert time.monotonic() - started < AT_ONCE
            assert await association.echo() == 0
            assert await association.store(instance.path) == 0
        with pytest.raises(dimse.ConnectError, match="TLS handshake failed"):
            await driver.associate(port, tls=contexts.stranger)
        with pytest.raises(dimse.DimseError):
            await driver.associate(port, timeouts=Timeouts(acse=AT_ONCE))  # in the clear
        async with await driver.associate(port, tls=contexts.client) as association:
            assert await association.echo() == 0
    assert received.data_sets == {instance.sop_instance_uid: instance.data_set}


@on_both_faces
def test_a_stalled_handshake_delays_no_other_connection(face: Face) -> None:
    contexts = tls_contexts()
    with serving(face, tls=contexts.server) as port, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connection(port)).sendall(b"\x16\x03")
        with associate(port, tls=contexts.client) as association:
            assert association.echo() == 0


@pytest.mark.usefixtures("brief_linger")
@on_both_faces
def test_a_failure_is_one_line_with_the_peers_address(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face) as port:
        with connection(port) as stranger:
            host, number = stranger.getsockname()
            stranger.sendall(b"EHLO me\r\n\x1b[31m" + bytes(10))
            read_to_the_end(stranger)
        with associate(port):
            pass
    [line] = errors(caplog)
    assert line.startswith(f"{host}:{number}: ")
    assert line.isprintable()


@on_both_faces
def test_a_handler_knows_its_association_only_by_its_request(face: Face) -> None:
    peers: list[dimse.Peer] = []

    def note(request: dimse.EchoRequest) -> int:
        peers.append(request.peer)
        return 0

    with running(face, dimse.Handlers(echo=note)) as server:
        port = server.address[1]
        with associate(port, calling_ae_title="ONE") as one, associate(port, calling_ae_title="TWO") as two:
            assert one.echo() == two.echo() == 0
    assert [peer.ae_title for peer in peers] == ["ONE", "TWO"]
    assert {peer.address[0] for peer in peers} == {LOOPBACK}
    assert isinstance(one._association, Association)


@pytest.mark.usefixtures("brief_linger")
@on_both_faces
def test_at_the_end_what_is_under_way_is_answered_and_idle_associations_do_not_keep_it(face: Face) -> None:
    working, go_on = threading.Event(), threading.Event()

    def work(_: dimse.EchoRequest) -> int:
        working.set()
        assert go_on.wait(LONG)
        return 0

    with running(face, dimse.Handlers(echo=work)) as server, ThreadPoolExecutor() as pool:
        idle, busy = associate(server.address[1]), associate(server.address[1])
        answer = pool.submit(busy.echo)
        assert working.wait(LONG)
        started = time.monotonic()
        if isinstance(server, aio.Server):
            end = asyncio.run_coroutine_threadsafe(server.shutdown(LONG), server._loop)
        else:
            assert isinstance(server, dimse.Server)
            end = pool.submit(server.shutdown, LONG)
        with pytest.raises(AssociationError):
            idle.serve(LONG)
        go_on.set()
        assert answer.result(LONG) == 0
        end.result(LONG)
        assert time.monotonic() - started < LONG / 2
        with pytest.raises(AssociationError):
            busy.echo()

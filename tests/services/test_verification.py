"""C-ECHO, asked on both drivers and answered by both faces."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.errors import NoPresentationContext
from tests.drivers import CT_IN_EXPLICIT_VR, Driver, Face, errors, on_both_faces, on_each_driver, serving


@on_both_faces
@on_each_driver
async def test_a_peer_is_verified(driver: Driver, face: Face) -> None:
    with serving(face) as port:
        async with await driver.associate(port) as association:
            status = await association.echo()
            assert (status, status.is_success) == (0, True)
            assert await association.echo() == 0


def defined(request: dimse.EchoRequest) -> int:
    return dimse.Status(0xC123, comment=f"{request.peer.ae_title} asked {request.message_id}")


async def asynchronous(request: dimse.EchoRequest) -> int:
    await asyncio.sleep(0)
    return defined(request)


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("handler", [defined, asynchronous])
async def test_a_handler_answers_with_its_status_and_comment(driver: Driver, face: Face, handler: Any) -> None:
    with serving(face, dimse.Handlers(echo=handler)) as port:
        async with await driver.associate(port, calling_ae_title="CALLER") as association:
            status = await association.echo()
            assert (status, status.comment) == (0xC123, "CALLER asked 1")


def fails(_: dimse.EchoRequest) -> int:
    raise RuntimeError("mine\nand secret")


async def fails_asynchronously(request: dimse.EchoRequest) -> int:
    return fails(request)


def returns_nothing(_: dimse.EchoRequest) -> Any:
    return None


def returns_too_much(_: dimse.EchoRequest) -> int:
    return 0x1_0000


def returns_false(_: dimse.EchoRequest) -> int:
    """Return what counts as 0, and so would be success."""
    return False


@on_both_faces
@on_each_driver
@pytest.mark.parametrize("handler", [fails, fails_asynchronously, returns_nothing, returns_too_much, returns_false])
async def test_a_handler_that_fails_is_a_status_and_a_line_in_the_log(
    driver: Driver, face: Face, handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(face, dimse.Handlers(echo=handler)) as port:
        async with await driver.associate(port) as association:
            assert await association.echo() == 0x0110
            [line] = errors(caplog)
            assert line.startswith("the handler of EchoRequest ")
            assert "\n" not in line
            assert await association.echo() == 0x0110  # the association lives on


@on_both_faces
@on_each_driver
async def test_a_comment_that_is_too_long_does_not_end_the_association(driver: Driver, face: Face) -> None:
    handlers = dimse.Handlers(echo=lambda _: dimse.Status(0xC000, comment="much to say, \u00e4 " * 20))
    with serving(face, handlers) as port:
        async with await driver.associate(port) as association:
            status = await association.echo()
            assert status == 0xC000
            assert status.comment.startswith("much to say")
            assert await association.echo() == 0xC000


@on_each_driver
async def test_without_its_context_nothing_is_sent_and_the_association_stands(driver: Driver) -> None:
    handlers = dimse.Handlers(store=lambda _: 0)
    with serving(handlers=handlers) as port:
        async with await driver.associate(port, [CT_IN_EXPLICIT_VR]) as association:
            with pytest.raises(NoPresentationContext, match="No presentation context for 'Verification"):
                await association.echo()
            assert association.open


@on_each_driver
async def test_contexts_say_what_was_refused(driver: Driver) -> None:
    with serving() as port:
        async with await driver.associate(port) as association:
            verification, storage = association.contexts
            assert verification.accepted and verification.transfer_syntax == uids.ExplicitVRLittleEndian
            assert (storage.accepted, storage.result) == (False, 3)

"""The outcomes of `store_many`, with a window of asynchronous operations and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.errors import ConnectionLost, FileError, InvalidResponse, NoPresentationContext, NotSent, OperationTimeout
from dimse.instances import InstanceFile
from dimse.services.outcome import Outcome
from tests.drivers import Driver, Received, make_instance, on_each_driver, serving


@on_each_driver
@pytest.mark.parametrize("async_ops", [1, 4])
async def test_an_outcome_tells_what_was_sent_and_how(driver: Driver, async_ops: int, tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    file = InstanceFile.check(str(instance.path))
    options: dict[str, Any] = {"async_ops": 4, "transfer_syntaxes": [uids.ImplicitVRLittleEndian]}
    with serving(handlers=Received().handlers, **options) as port:
        contexts = dimse.contexts_for([file])
        async with await driver.associate(port, contexts, async_ops=async_ops) as association:
            [converted] = [outcome async for outcome in association.store_many([file])]
            [refused] = [outcome async for outcome in association.store_many([file], transcode="never")]
            accepted = association.context_for(uids.CTImageStorage)
    assert (converted.state, converted.status, converted.error) == ("stored", 0, None)
    assert converted.source is file and converted.path == str(instance.path)
    assert (converted.sop_class_uid, converted.sop_instance_uid) == (uids.CTImageStorage, instance.sop_instance_uid)
    assert (converted.transfer_syntax_uid, converted.context) == (uids.ExplicitVRLittleEndian, accepted)
    # The size is that of the converted data set, in which an element's header differs.
    assert 0 < converted.size != len(instance.data_set)
    assert 0 < converted.seconds < 10 and converted.attempts == 1
    assert (refused.state, refused.attempts, refused.seconds, refused.context) == ("unsent", 0, 0, None)
    assert (refused.sop_class_uid, refused.sop_instance_uid) == (uids.CTImageStorage, instance.sop_instance_uid)
    assert (refused.transfer_syntax_uid, refused.size) == (uids.ExplicitVRLittleEndian, len(instance.data_set))
    assert refused.source is file


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome("x", dimse.Status(0), attempts=1), "stored"),
        (Outcome("x", dimse.Status(0xB000), attempts=1), "warning"),
        (Outcome("x", dimse.Status(0xA700), attempts=3), "refused"),
        (Outcome("x", dimse.Status(0xFF00), attempts=1), "refused"),
        (Outcome("x", dimse.Status(0x1234), attempts=1), "refused"),
        (Outcome("x", dimse.Status(0)), "already"),
        (Outcome("x", error=NoPresentationContext("none")), "unsent"),
        (Outcome("x", error=NotSent("no association")), "unsent"),
        (Outcome("x", error=FileError("x", "empty file")), "invalid"),
        (Outcome("x", error=ConnectionLost("gone"), attempts=1), "unknown"),
        (Outcome("x", error=OperationTimeout("dimse"), attempts=1), "unknown"),
        (Outcome("x", error=InvalidResponse("C-STORE", "why"), attempts=2), "unknown"),
    ],
    ids=repr,
)
def test_the_state_of_an_outcome(outcome: Outcome, state: str) -> None:
    assert outcome.state == state

"""A window of asynchronous operations is asked of peers that grant none: they are sent one request at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

import dimse
from tests.drivers import CT_IN_EXPLICIT_VR, make_instance
from tests.interop import ours, peers


@pytest.mark.parametrize(
    ("peer", "options"),
    [("dcmtk_storescp", ("+xa", "-pm", "+B")), ("pynetdicom_scp", ()), ("orthanc", ())],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_peer_that_grants_no_window(
    peer: str, options: tuple[str, ...], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    start: peers.StartSCP = request.getfixturevalue(peer)
    scp = start(*options)
    instances = [make_instance(tmp_path, number) for number in range(1, 6)]
    contexts = [CT_IN_EXPLICIT_VR, dimse.ProposedContext(dimse.Verification)]
    with dimse.associate("127.0.0.1", scp.port, contexts=contexts, timeouts=ours.TIMEOUTS, async_ops=16) as association:
        outcomes = list(association.store_many(instance.path for instance in instances))
        assert association.echo() == 0
    assert [outcome.source for outcome in outcomes] == [instance.path for instance in instances]
    # Orthanc files no instance without the UIDs of a study.
    if peer == "orthanc":
        assert [outcome.state for outcome in outcomes] == ["refused"] * 5
        return
    assert [outcome.state for outcome in outcomes] == ["stored"] * 5
    assert set(scp.received()) == {instance.sop_instance_uid for instance in instances}

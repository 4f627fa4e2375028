"""C-ECHO to real peers, from both faces and the tool, by address and by name."""

from __future__ import annotations

import asyncio

import pytest

import dimse
from dimse import aio
from tests.interop import ours, peers

PEERS = {
    "dcmtk_storescp": (),
    "pynetdicom_scp": (),
    "pynetdicom_echoscp": (),
    "orthanc": (),
}


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> peers.StorageSCP:
    """Return each peer in turn."""
    start: peers.StartSCP = request.getfixturevalue(request.param)
    return start()


@pytest.mark.sample("dcmtk_storescp-*", "orthanc-*", "pynetdicom_scp-blocking")
@pytest.mark.parametrize("face", ours.FACES)
def test_a_peer_is_verified_by_the_library(face: ours.Face, peer: peers.StorageSCP) -> None:
    assert ours.echo(face, "127.0.0.1", peer.port).is_success


@pytest.mark.sample("dcmtk_storescp")
def test_a_peer_is_verified_by_the_tool_without_a_word(peer: peers.StorageSCP) -> None:
    process = ours.tool("echoscu", "127.0.0.1", peer.port)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


@pytest.mark.sample("dcmtk_storescp")
def test_the_tool_prints_its_steps_and_the_peer(peer: peers.StorageSCP) -> None:
    process = ours.tool("echoscu", "127.0.0.1", peer.port, "-v", "--repeat", 2)
    assert process.returncode == 0
    lines = process.stderr.splitlines()
    assert lines[:7] == [
        "I: Requesting Association",
        "I: Association Accepted",
        "I: Sending Echo Request: MsgID 1",
        "I: Received Echo Response (Status: 0x0000 - Success)",
        "I: Sending Echo Request: MsgID 2",
        "I: Received Echo Response (Status: 0x0000 - Success)",
        "I: Releasing Association",
    ]
    assert any("OFFIS_DCMTK" in line or "PYNETDICOM" in line or "Orthanc" in line for line in lines[7:])


@pytest.mark.sample("dcmtk_storescp")
def test_many_echoes_go_over_one_association(peer: peers.StorageSCP) -> None:
    with dimse.associate("127.0.0.1", peer.port, contexts=[dimse.Verification], timeouts=ours.TIMEOUTS) as association:
        assert [association.echo() for _ in range(100)] == [0] * 100


@pytest.mark.thorough
def test_associations_stand_side_by_side_on_one_loop(pynetdicom_scp: peers.StartSCP) -> None:
    port = pynetdicom_scp().port

    async def verify(together: asyncio.Barrier) -> dimse.Status:
        async with aio.associate(
            "127.0.0.1", port, contexts=[dimse.Verification], timeouts=ours.TIMEOUTS
        ) as association:
            await together.wait()  # all of them stand
            return await association.echo()

    async def verify_all() -> list[dimse.Status]:
        together = asyncio.Barrier(8)
        return await asyncio.gather(*(verify(together) for _ in range(8)))

    assert asyncio.run(verify_all()) == [0] * 8


# --- Where the peer is ------------------------------------------------------------------------------------------------


@pytest.mark.sample("blocking-::1-::1", "asyncio-127.0.0.1-127.0.0.1")
@pytest.mark.parametrize(("listens", "host"), ours.ADDRESSES)
@pytest.mark.parametrize("server", ours.FACES)
def test_our_server_is_reached_by_ipv4_ipv6_and_name(server: ours.Face, listens: str, host: str) -> None:
    called: list[str] = []

    def echo(request: dimse.EchoRequest) -> int:
        called.append(request.peer.address[0])
        return 0x0000

    with ours.serving(server, dimse.Handlers(echo=echo), host=listens) as port:
        for face in ours.FACES:
            assert ours.echo(face, host, port).is_success
        process = ours.tool("echoscu", host, port)
    assert (process.returncode, process.stderr) == (0, "")
    assert called == [listens] * 3


@pytest.mark.parametrize("name", ["dcmtk_storescp", "orthanc"])
def test_a_peer_is_reached_by_its_name(name: str, request: pytest.FixtureRequest) -> None:
    start: peers.StartSCP = request.getfixturevalue(name)
    port = start().port
    for face in ours.FACES:
        assert ours.echo(face, "localhost", port).is_success
    assert ours.tool("echoscu", "localhost", port).returncode == 0

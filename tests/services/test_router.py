"""A router is a server whose store handler sends what it gets to the next peer, as it came."""

from __future__ import annotations

from pathlib import Path

import pytest

import dimse
from dimse import uids
from dimse.testing import StorageSCP
from tests.drivers import make_instance

CT_512 = 512 * 512 * 2  # bytes of pixel data


@pytest.mark.thorough
def test_a_router_forwards_400_ct_images_byte_identically_and_decodes_nothing(tmp_path: Path) -> None:
    instances = [make_instance(tmp_path, number, CT_512) for number in range(1, 401)]
    contexts = [(uids.CTImageStorage, [uids.ExplicitVRLittleEndian])]

    with (
        StorageSCP() as archive,
        dimse.associate("127.0.0.1", archive.port, contexts=contexts) as following,
        dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=following.store)) as router,
        dimse.associate(*router.address, contexts=contexts) as scanner,
    ):
        outcomes = list(scanner.store_many(instance.path for instance in instances))

    assert [outcome.status for outcome in outcomes] == [0x0000] * 400
    assert [one.data_set for one in archive.instances] == [instance.data_set for instance in instances]

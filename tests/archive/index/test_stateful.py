"""An archive of random histories: its index holds what an index that is built from its files holds."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dimse.archive import FileStore
from dimse.archive.index import Index
from dimse.archive.index.arriving import REQUIRED_TAGS, arriving_tags
from dimse.archive.index.check import check
from dimse.archive.index.ingest import OnDuplicate
from dimse.archive.index.reindex import fill, reindex_sqlite
from tests.archive.index.rows import contents
from tests.archive.index.test_arriving import LAYOUT, NATIVE, data_set, keep

CAMPAIGN = {"max_examples": int(os.environ.get("DIMSE_HISTORIES", "500")), "stateful_step_count": 50}
SHORT = {"max_examples": 10, "stateful_step_count": 15}

studies, series, instances = st.integers(1, 2), st.integers(1, 2), st.integers(1, 4)
# What makes the data set of an instance another one. Names differ in nothing else, since the first in force may be deleted.
contents_of_pixels = st.sampled_from([b"\0", b"\1", b"\2"])


Sent = NamedTuple("Sent", [("study", int), ("series", int), ("instance", int), ("pixels", bytes)])


class History(RuleBasedStateMachine):
    """A store and an index, to which anything happens; what was acknowledged is in the model."""

    on_duplicate: OnDuplicate = "keep-both"

    @initialize()
    def start(self) -> None:
        self.root = tempfile.mkdtemp(prefix="dimse-history-")
        self.folder, self.database = f"{self.root}/store", f"{self.root}/index.db"
        # The data set of each instance that is to be served: the first or the last that was acknowledged.
        self.served: dict[str, bytes] = {}
        self.open()

    def open(self) -> None:
        """Start the archive, as after a restart."""
        self.index = self.open_index(self.database)
        if not self.index.start():
            self.index.recover()
        self.store = self.open_store()

    def open_index(self, path: str) -> Index:
        return Index(path, self.folder, on_duplicate=self.on_duplicate)

    def open_store(self) -> FileStore:
        return FileStore(
            self.folder,
            layout=LAYOUT,
            durability="none",
            stored=self.index.arrivals(),
            tags=arriving_tags(),
            required=REQUIRED_TAGS,
            digest=True,
        )

    def teardown(self) -> None:
        self.verify()
        self.store.close()
        self.index.close()
        shutil.rmtree(self.root)

    @rule(study=studies, one=series, instance=instances, pixels=contents_of_pixels)
    def arrives(self, study: int, one: int, instance: int, pixels: bytes) -> None:
        """Store an instance, perhaps again, perhaps with other pixels, perhaps in another series."""
        self.keep(self.store, Sent(study, one, instance, pixels))

    def keep(self, store: FileStore, sent: Sent) -> None:
        uid = f"1.9.{sent.instance}"
        data = data_set(uid, f"1.2.{sent.study}", f"1.2.{sent.study}.{sent.series}")[:-1] + sent.pixels
        assert keep(store, data, uid).is_success
        if uid not in self.served or self.on_duplicate == "replace":
            self.served[uid] = data

    @rule(instance=instances)
    def is_deleted(self, instance: int) -> None:
        uid = f"1.9.{instance}"
        assert self.index.delete("IMAGE", uid).instances == (uid in self.served)
        self.served.pop(uid, None)

    @rule(study=studies)
    def study_is_deleted(self, study: int) -> None:
        self.index.delete("STUDY", f"1.2.{study}")
        named = f"1.2.{study}.".encode()
        # A Series Instance UID begins with that of its study.
        self.served = {uid: data for uid, data in self.served.items() if named not in data}

    @rule()
    def restarts(self) -> None:
        self.store.close()
        self.index.close()
        self.open()

    @rule(lost=st.lists(st.builds(Sent, studies, series, st.integers(1, 7), contents_of_pixels), max_size=4))
    def crashes(self, lost: list[Sent]) -> None:
        """Lose the last transactions, as a power cut does, and recover."""
        self.store.close()
        kept = f"{self.root}/kept.db"
        self.index.database.checkpoint()
        shutil.copyfile(self.database, kept)
        with self.open_store() as store:
            for sent in lost:
                self.keep(store, sent)
        self.index.close()
        shutil.copyfile(kept, self.database)
        for name in (f"{self.database}-wal", f"{self.database}-shm"):
            Path(name).unlink(missing_ok=True)
        self.open()

    @rule()
    def is_rebuilt(self) -> None:
        self.store.close()
        self.index.close()
        reindex_sqlite(self.open_index, self.database)
        self.open()

    @invariant()
    def what_was_acknowledged_is_served(self) -> None:
        if not hasattr(self, "index"):
            return
        found = {one["sop_uid"]: bytes(one["digest"]) for one in contents(self.index)["instance"]}
        expected = {uid: hashlib.sha256(NATIVE.encode() + data).digest() for uid, data in self.served.items()}
        assert found == expected
        assert list(check(self.index, full=True)) == []

    def verify(self) -> None:
        """Compare the index with one that is built from the files."""
        path = f"{self.root}/built.db"
        for name in (path, f"{path}-wal", f"{path}-shm"):
            Path(name).unlink(missing_ok=True)
        with self.open_index(path) as built:
            fill(built)
            assert contents(built) == contents(self.index)


def _case(machine: type[History], **options: Any) -> Any:
    """Return the test of a machine."""
    case: Any = machine.TestCase
    case.settings = settings(deadline=None, suppress_health_check=list(HealthCheck), **options)
    return case


class ShortHistory(History):
    """A history of a few steps."""


class Replacing(History):
    """A history of an archive that serves the latest of several data sets."""

    on_duplicate: OnDuplicate = "replace"


class ShortReplacing(Replacing):
    """A history of a few steps."""


TestHistories = pytest.mark.thorough(pytest.mark.timeout(300)(_case(ShortHistory, **SHORT)))
TestReplacing = pytest.mark.thorough(pytest.mark.timeout(300)(_case(ShortReplacing, **SHORT)))
TestManyHistories = pytest.mark.campaign(pytest.mark.timeout(3600)(_case(History, **CAMPAIGN)))
TestManyReplacing = pytest.mark.campaign(pytest.mark.timeout(3600)(_case(Replacing, **CAMPAIGN)))

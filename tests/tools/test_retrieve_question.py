"""The question that getscu asks before a C-GET, of an archive that does not know the SOP classes of a study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dimse import FindRequest, uids
from dimse.data_set.attributes import Attribute, Attributes
from dimse.data_set.identifier import Identifier
from dimse.testing import QueryRetrieveSCP
from dimse.testing.query_retrieve import SOP_CLASSES_IN_STUDY
from tests.tools.retrieved import STUDY, kept, write_images
from tests.tools.running import Instance, element, lines, pixel_data, tool

# A class that is not among those that are proposed without a question.
RARE = uids.StereometricRelationshipStorage
RARE_UID = f"{STUDY}.1.9"


class Archive(QueryRetrieveSCP):
    """An archive that has no SOP Classes in Study."""

    def response(self, keys: Attributes, entity: Attributes, level: str) -> Identifier:
        """Return a response without the classes of the study."""
        found = super().response(keys, entity, level).attributes
        if SOP_CLASSES_IN_STUDY in found:
            found = {**found, SOP_CLASSES_IN_STUDY: Attribute("UI", ())}
        return Identifier(found)

    @property
    def asked(self) -> list[str]:
        """The level of each query."""
        return [request.level for request in self.requests]


def rare(series: str) -> Instance:
    """Return an instance of a rare class in a series of the study."""
    rest = (
        element(0x0010, 0x0020, "LO", b"P1")
        + element(0x0020, 0x000D, "UI", STUDY.encode())
        + element(0x0020, 0x000E, "UI", series.encode())
        + pixel_data(50)
    )
    return Instance(RARE_UID, RARE, rest=rest)


def test_the_class_of_one_instance_of_each_series_is_proposed(tmp_path: Path) -> None:
    files = [*write_images(tmp_path / "archive"), rare(f"{STUDY}.2").write(tmp_path / "archive" / "rare.dcm")]
    with Archive(files) as scp:
        done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in")
    assert done.returncode == 0, done.stderr
    assert len(kept(tmp_path / "in")) == 4
    assert scp.asked == ["STUDY", "SERIES", "IMAGE", "IMAGE"]
    assert len(scp.retrievals) == 1
    assert "SOP classes of the studies: 2" in lines(done, "I")


def test_an_instance_of_another_class_in_a_series_comes_in_the_second_pass(tmp_path: Path) -> None:
    files = [*write_images(tmp_path / "archive"), rare(f"{STUDY}.1").write(tmp_path / "archive" / "rare.dcm")]
    with Archive(files) as scp:
        done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in")
    assert done.returncode == 0, done.stderr
    assert len(kept(tmp_path / "in")) == 4
    assert [request.level for request in scp.retrievals] == ["STUDY", "IMAGE"]


class Endless(Archive):
    """An archive that lists the instances of a series again and again, until the requestor cancels."""

    def find(self, request: FindRequest) -> Iterator[Identifier | int]:
        """Yield the matches."""
        yield from super().find(request)
        while request.level == "IMAGE" and not request.cancelled:
            yield from super().find(request)


def test_the_list_of_a_series_is_cancelled_after_its_first_instance(tmp_path: Path) -> None:
    with Endless(write_images(tmp_path / "archive")) as scp:
        done = tool("getscu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in")
    assert done.returncode == 0, done.stderr
    assert len(kept(tmp_path / "in")) == 3

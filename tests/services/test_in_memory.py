"""Instances in memory, which are sent, refused and named as files are: pydicom data sets, bytes of files and open files."""

from __future__ import annotations

import asyncio
import io
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

import dimse
from dimse import aio, uids
from dimse.errors import FileError
from dimse.sending import feed
from dimse.testing import SentInstance, StorageSCP
from tests.drivers import Driver, Instance, make_instance, on_each_driver

DEFLATED, BIG_ENDIAN = uids.DeflatedExplicitVRLittleEndian, uids.ExplicitVRBigEndian


def data_set(number: int = 1, transfer_syntax: str = "", pixels: int = 256) -> Dataset:
    """Return a CT image with a sequence of undefined length, which states a transfer syntax unless that is empty."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = UID(uids.CTImageStorage), UID(f"1.2.3.{number}")
    made.PatientName = "Doe^Jane"
    item = Dataset()
    item.ReferencedSOPInstanceUID = UID("1.2.3.4.5")
    item.is_undefined_length_sequence_item = True
    made.ReferencedImageSequence = Sequence([item])
    made["ReferencedImageSequence"].is_undefined_length = True
    made.Rows = made.Columns = 16
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 7, 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.add_new(0x7FE00010, "OB" if transfer_syntax else "OW", bytes(pixels))
    if transfer_syntax:
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    return made


def compressed(number: int = 1, transfer_syntax: str = "") -> Dataset:
    """Return a data set with pixel data in fragments."""
    made = data_set(number, transfer_syntax)
    made.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return made


def in_memory(instance: Instance) -> dict[str, Any]:
    """Return the instance of a file in each form that has no path."""
    content = instance.path.read_bytes()
    return {
        "bytes": content,
        "bytearray": bytearray(content),
        "memoryview": memoryview(content),
        "BytesIO": io.BytesIO(content),
        "data set": dcmread(instance.path),
    }


@on_each_driver
async def test_every_form_arrives_as_its_file_does(driver: Driver, tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    with StorageSCP() as scp, instance.path.open("rb") as opened:
        given = [*in_memory(instance).values(), opened]
        async with await driver.associate(scp.port, dimse.contexts_for(given)) as association:
            for one in given:
                assert await association.store(one) == 0
            assert not opened.closed
            outcomes = [outcome async for outcome in association.store_many(given)]
        assert {outcome.state for outcome in outcomes} == {"stored"}
        assert all(outcome.source is one for outcome, one in zip(outcomes, given, strict=True))
        assert [sent.data_set for sent in scp.instances] == [instance.data_set] * 2 * len(given)


def test_a_path_is_bytes_without_a_zero(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    path = str(instance.path).encode()
    assert (
        dimse.contexts_for(path) == dimse.contexts_for(instance.path) == dimse.contexts_for(instance.path.read_bytes())
    )


def test_an_open_file_is_sent_from_its_start_with_all_that_was_written(tmp_path: Path) -> None:
    instance = make_instance(tmp_path, pixels=200_000)
    content = instance.path.read_bytes()
    buffer = io.BytesIO()
    buffer.write(content)
    with StorageSCP() as scp, (tmp_path / "written").open("w+b") as file:
        file.write(content)
        outcomes = list(dimse.send([buffer, file], ("127.0.0.1", scp.port)))
    assert [(outcome.state, outcome.path) for outcome in outcomes] == [
        ("stored", "file in memory 1"),
        ("stored", str(tmp_path / "written")),
    ]
    assert [sent.data_set for sent in scp.instances] == [instance.data_set] * 2


def test_a_text_file_is_refused_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no")
    with path.open() as file, pytest.raises(TypeError, match=r'open\(path, "rb"\)'):
        dimse.contexts_for(file)


# --- the encoding


@pytest.mark.parametrize(
    "transfer_syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, DEFLATED, BIG_ENDIAN]
)
def test_a_data_set_goes_in_the_transfer_syntax_that_it_states(transfer_syntax: str) -> None:
    [sent] = sent_of(data_set(transfer_syntax=transfer_syntax))
    assert sent.transfer_syntax == transfer_syntax
    assert (sent.dataset().PatientName, sent.dataset().PixelData) == ("Doe^Jane", bytes(256))


@pytest.mark.parametrize("transfer_syntax", [uids.ImplicitVRLittleEndian, uids.ExplicitVRLittleEndian, BIG_ENDIAN])
def test_a_data_set_that_states_none_goes_as_it_was_read(transfer_syntax: str) -> None:
    target = io.BytesIO()
    data_set(transfer_syntax=transfer_syntax).save_as(target)
    target.seek(0)
    syntax = uids.transfer_syntax(transfer_syntax)
    assert syntax is not None
    read = dcmread(target, force=True)
    read.set_original_encoding(syntax.implicit_vr, syntax.little_endian)
    del read.file_meta
    [sent] = sent_of(read)
    assert sent.transfer_syntax == transfer_syntax
    assert sent.dataset().PatientName == "Doe^Jane"


def test_a_new_data_set_goes_in_explicit_vr() -> None:
    [sent] = sent_of(data_set())
    assert sent.transfer_syntax == uids.ExplicitVRLittleEndian
    assert sent.dataset().ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4.5"


def test_compressed_pixel_data_goes_as_it_is() -> None:
    [sent] = sent_of(compressed(transfer_syntax=uids.JPEGBaseline8Bit))
    assert sent.transfer_syntax == uids.JPEGBaseline8Bit
    assert sent.dataset().PixelData == encapsulate([b"\xff\xd8\xff\xd9"])


def test_file_meta_information_among_the_elements_is_left_out() -> None:
    made = data_set()
    made.add_new(0x00020010, "UI", uids.JPEGBaseline8Bit)
    [sent] = sent_of(made)
    assert sent.transfer_syntax == uids.ExplicitVRLittleEndian
    assert 0x00020010 not in sent.dataset()
    assert 0x00020010 in made


def sent_of(given: Dataset) -> list[SentInstance]:
    """Return what arrives of a data set."""
    with StorageSCP() as scp:
        [outcome] = dimse.send(given, ("127.0.0.1", scp.port))
    assert (outcome.state, outcome.error) == ("stored", None)
    return scp.instances


# --- what cannot be sent


def broken() -> dict[str, tuple[Dataset, str]]:
    """Return data sets that cannot be sent, each with the reason."""
    no_instance, no_class, no_uid = data_set(), data_set(), data_set()
    del no_instance.SOPInstanceUID
    del no_class.SOPClassUID
    no_uid.SOPClassUID = "CT"
    bad_value = data_set()
    bad_value.Rows = "many"
    return {
        "no instance UID": (no_instance, "data set 2: no SOP Instance UID (0008,0018) in its data set"),
        "no class UID": (no_class, "1.2.3.1: no SOP Class UID (0008,0016) in its data set"),
        "no UID": (no_uid, "1.2.3.1: the SOP Class UID (0008,0016) in its data set is not a UID: 'CT'"),
        "no transfer syntax": (compressed(), "1.2.3.1: no Transfer Syntax UID in its File Meta Information, and "),
        "a bad value": (bad_value, "1.2.3.1: pydicom cannot encode it: "),
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["no instance UID", "no class UID", "no UID", "no transfer syntax", "a bad value"])
def test_a_data_set_is_refused_with_the_reason_of_a_file_on_every_way(name: str) -> None:
    wrong, reason = broken()[name]
    good = data_set(7)
    with pytest.raises(FileError) as refused:
        dimse.contexts_for([good, wrong])
    assert str(refused.value).startswith(reason)
    with StorageSCP() as scp:
        remote = dimse.Remote("127.0.0.1", scp.port)
        with dimse.associate(remote, contexts=dimse.contexts_for(good)) as association:
            with pytest.raises(FileError, match=re.escape(refused.value.reason)):
                association.store(wrong)
            many = list(association.store_many([good, wrong]))
        sent = list(dimse.send([good, wrong], remote))
        with dimse.Forwarder(remote) as forwarder:
            status = forwarder.store(wrong)
    for outcomes in (many, sent):
        by_state = {outcome.state: outcome for outcome in outcomes}
        assert by_state.keys() == {"stored", "invalid"}
        assert str(by_state["invalid"].error) == str(refused.value)
    assert (status, status.comment.startswith("not forwarded: ")) == (0xC000, True)


def test_a_reason_is_that_of_the_file(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    content = instance.path.read_bytes()
    for wrong in (content[:-5], content[:200], b"\0" * 10, b"\0" * 200):
        path = tmp_path / "wrong.dcm"
        path.write_bytes(wrong)
        with pytest.raises(FileError) as of_file:
            dimse.contexts_for(path)
        with pytest.raises(FileError) as of_bytes:
            dimse.contexts_for(wrong)
        assert of_bytes.value.reason == of_file.value.reason
        assert of_bytes.value.path == "file in memory"


@pytest.mark.parametrize("wrong", [5, None, [5], [object()]])
def test_an_object_that_is_no_instance_is_an_error_of_the_program(wrong: Any) -> None:
    with pytest.raises(TypeError):
        dimse.contexts_for(wrong)
    if wrong is not None and wrong != 5:
        with StorageSCP() as scp, pytest.raises(TypeError, match="what is sent is a path"):
            list(dimse.send(wrong, ("127.0.0.1", scp.port)))


# --- many


def many(count: int, pixels: int = 256) -> Iterator[Dataset]:
    """Yield data sets, which are made when they are asked for; it is one object that changes."""
    made = data_set(pixels=pixels)
    for number in range(count):
        made.SOPInstanceUID = f"1.2.3.{number}"
        yield made


def test_a_data_set_may_be_changed_for_the_next_one() -> None:
    expected = [f"1.2.3.{number}" for number in range(40)]
    with StorageSCP() as scp:
        remote = dimse.Remote("127.0.0.1", scp.port)
        assert [outcome.state for outcome in dimse.send(many(40), remote)] == ["stored"] * 40
        assert [sent.dataset().SOPInstanceUID for sent in scp.instances] == expected
        scp.instances.clear()
        with dimse.associate(remote, contexts=dimse.contexts_for(data_set()), async_ops=4) as association:
            assert [outcome.state for outcome in association.store_many(many(40))] == ["stored"] * 40
        assert [sent.dataset().SOPInstanceUID for sent in scp.instances] == expected
        scp.instances.clear()

        async def send() -> None:
            assert [outcome.state async for outcome in aio.send(many(40), remote)] == ["stored"] * 40
            async with aio.associate(remote, contexts=dimse.contexts_for(data_set())) as association:
                assert [one.state async for one in association.store_many(many(40))] == ["stored"] * 40

        asyncio.run(send())
        assert [sent.dataset().SOPInstanceUID for sent in scp.instances] == expected * 2


def test_memory_that_is_written_again_is_copied_when_it_is_taken(tmp_path: Path) -> None:
    contents = [make_instance(tmp_path, number).path.read_bytes() for number in range(1, 6)]
    buffer = bytearray(len(contents[0]))

    def read() -> Iterator[memoryview]:
        for content in contents:
            buffer[:] = content
            yield memoryview(buffer)

    with StorageSCP() as scp:
        assert len(list(dimse.send(read(), ("127.0.0.1", scp.port)))) == 5
    assert scp.sop_instance_uids == [f"1.2.826.0.1.3680043.10.999.{number}" for number in range(1, 6)]


def test_a_generator_is_consumed_as_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data sets have 60 MB, of which some are held, though every outcome is kept."""
    monkeypatch.setattr(feed, "HELD_AHEAD", 2_000_000)
    server = dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=lambda request: 0))
    with server:
        tracemalloc.start()
        try:
            outcomes = list(dimse.send(many(60, pixels=1_000_000), server.address, jobs=2))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert [outcome.state for outcome in outcomes] == ["stored"] * 60
    assert peak < 25_000_000
    with pytest.raises(FileError, match="dropped when its outcome was known"):
        outcomes[0].source.data_set()


def test_a_journal_records_files_only(tmp_path: Path) -> None:
    given = [make_instance(tmp_path).path, data_set()]
    with StorageSCP() as scp:
        for state in ("stored", "already"):
            outcomes = dimse.send(given, ("127.0.0.1", scp.port), journal=tmp_path / "journal")
            assert sorted(outcome.state for outcome in outcomes) == sorted([state, "stored"])


def test_retries_send_an_instance_in_memory_again() -> None:
    with StorageSCP(status=[0xA700]) as scp:
        [outcome] = dimse.send(data_set(), ("127.0.0.1", scp.port), retry=dimse.sending.Retry(1, wait=0))
    assert (outcome.state, outcome.attempts, len(scp.instances)) == ("stored", 2, 2)


def test_a_peer_that_refuses_the_transfer_syntax_gets_another_one() -> None:
    with StorageSCP(transfer_syntaxes=["ImplicitVRLittleEndian"]) as scp:
        remote = dimse.Remote("127.0.0.1", scp.port)
        given = [data_set(1), data_set(2, uids.ExplicitVRLittleEndian)]
        assert [outcome.state for outcome in dimse.send(given, remote)] == ["stored"] * 2
        with dimse.Forwarder(remote) as forwarder:
            assert forwarder.store(data_set(3, uids.ExplicitVRLittleEndian)) == 0
        with dimse.associate(remote, contexts=dimse.contexts_for(given)) as association:
            # One that states no transfer syntax is re-encoded in any case.
            states = [outcome.state for outcome in association.store_many(given, transcode="never")]
    assert states == ["stored", "unsent"]
    assert {sent.transfer_syntax for sent in scp.instances} == {uids.ImplicitVRLittleEndian}


def test_a_router_may_change_what_it_sends_on() -> None:
    with StorageSCP() as scp, dimse.Forwarder(dimse.Remote("127.0.0.1", scp.port)) as forwarder:

        def anonymise(request: dimse.StoreRequest) -> int:
            received = request.dataset()
            received.PatientName = "Anonymous"
            return forwarder.store(received)

        with dimse.Server(("127.0.0.1", 0), dimse.Handlers(store=anonymise)) as router:
            [outcome] = dimse.send(data_set(), router.address)
    assert outcome.state == "stored"
    assert scp.instances[0].dataset().PatientName == "Anonymous"


def test_the_recipe_of_the_page_sends_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sending.md").read_text()
    [recipe] = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def anonymised" in block]
    folder = tmp_path / "study"
    folder.mkdir()
    for number in range(3):
        made = data_set(number, uids.ExplicitVRLittleEndian)
        made.PatientID, made.StudyInstanceUID, made.SeriesInstanceUID = "4711", UID("1.2.1"), UID("1.2.2")
        made.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    monkeypatch.chdir(tmp_path)
    with StorageSCP() as scp:
        exec(recipe.replace('"pacs.example.org", 104', f'"127.0.0.1", {scp.port}'), {})
    sent = [instance.dataset() for instance in scp.instances]
    assert {str(one.PatientName) for one in sent} == {"ANONYMOUS"}
    assert len({one.SOPInstanceUID for one in sent}) == 3
    assert len({one.StudyInstanceUID for one in sent}) == 1
    assert all(
        instance.sop_instance_uid == one.SOPInstanceUID for instance, one in zip(scp.instances, sent, strict=True)
    )

"""A template decides where an instance goes; what a peer says can change the place, but never lead out of the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pydicom.datadict
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse import uids
from dimse.archive import FileStore
from dimse.archive.layout import DEFAULT, ELEMENTS, FIELDS, Layout
from dimse.archive.names import safe_component
from tests.archive.storing import (
    ATTACKS,
    KEPT,
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    data_set,
    element,
    keep,
    names,
    store_request,
    take,
)

BY_STUDY = "{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
VALUES = {PATIENT_ID: "PAT1", STUDY_INSTANCE_UID: "1.2.10", SERIES_INSTANCE_UID: "1.2.11"}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        (DEFAULT, "MR.1.2.3"),
        (BY_STUDY, "PAT1/1.2.10/1.2.11/1.2.3.dcm"),
        ("{SOPInstanceUID}", "1.2.3"),
        ("images/from-{CallingAETitle}/to_{CalledAETitle}/{SOPInstanceUID}", "images/from-MODALITY/to_ARCHIVE/1.2.3"),
        ("{Modality}/{AccessionNumber}/{StudyDate}/{SOPInstanceUID}", "unknown/unknown/unknown/1.2.3"),
        ("{SOPClassUID}/{PatientID}.{SOPInstanceUID}..x", f"{uids.MRImageStorage}/PAT1.1.2.3..x"),
        ("{PatientID}{PatientID}/{SOPInstanceUID}{SOPInstanceUID}", "PAT1PAT1/1.2.31.2.3"),
    ],
)
def test_fields_are_replaced_by_what_the_instance_has(template: str, path: str) -> None:
    assert "/".join(Layout(template).path(store_request(sop_class=uids.MRImageStorage), VALUES)) == path


def test_every_field_has_its_tag() -> None:
    for keyword, tag in ELEMENTS.items():
        assert pydicom.datadict.tag_for_keyword(keyword) == tag
        layout = Layout(f"{{{keyword}}}/{{SOPInstanceUID}}")
        assert layout.tags == {tag}
        assert layout.path(store_request(), {tag: "value"}) == ("value", "1.2.3")


def test_only_what_the_template_needs_is_looked_for() -> None:
    assert Layout().tags == frozenset()
    assert Layout(BY_STUDY).tags == set(VALUES)


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{PatientsID}/{SOPInstanceUID}", "names 'PatientsID'; there are Modality prefix, SOPClassUID, "),
        ("{}/{SOPInstanceUID}", "names ''"),
        ("{0}/{SOPInstanceUID}", "names '0'"),
        ("{PatientID.__class__}/{SOPInstanceUID}", "names 'PatientID.__class__'"),
        ("{PatientID!r}/{SOPInstanceUID}", "names 'PatientID'"),
        ("{PatientID:>9}/{SOPInstanceUID}", "names 'PatientID'"),
        ("{SOPInstanceUID", "cannot be read"),
        ("{SOPInstance/UID}", "cannot be read"),
        ("SOPInstanceUID}", "cannot be read"),
        ("{{SOPInstanceUID}}", "may stand there"),
        ("", "empty component"),
        ("/{SOPInstanceUID}", "empty component"),
        ("{PatientID}//{SOPInstanceUID}", "empty component"),
        ("{PatientID}/{SOPInstanceUID}/", "empty component"),
        ("{PatientID}", "no {SOPInstanceUID} in its last component"),
        ("{SOPInstanceUID}/{InstanceNumber}", "no {SOPInstanceUID} in its last component"),
        ("../{SOPInstanceUID}", "begins with a dot"),
        ("./{SOPInstanceUID}", "begins with a dot"),
        (".incoming/{SOPInstanceUID}", "begins with a dot"),
        (".{SOPInstanceUID}", "begins with a dot"),
        ("a/-{SOPInstanceUID}", "begins with a dot or a hyphen"),
        ("a b/{SOPInstanceUID}", "may stand there"),
        ("~/{SOPInstanceUID}", "may stand there"),
        ("a\\{SOPInstanceUID}", "may stand there"),
        ("a\0{SOPInstanceUID}", "may stand there"),
        ("ä/{SOPInstanceUID}", "may stand there"),
        ("{SOPInstanceUID}.dcm\n", "may stand there"),
    ],
)
def test_a_template_that_will_not_do_is_refused_at_once(template: str, why: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        FileStore(folder, layout=template)
    assert not folder.exists()


@pytest.mark.parametrize("field", FIELDS)
def test_no_value_leads_elsewhere(field: str) -> None:
    layout = Layout(f"{{{field}}}/a{{{field}}}/{{{field}}}b/{{{field}}}{{{field}}}/{{SOPInstanceUID}}")
    for value in ("", *ATTACKS):
        request = store_request(value, value, ae_title=value, called=value)
        path = layout.path(request, dict.fromkeys(ELEMENTS.values(), value))
        made = "UN" if field == "Modality prefix" else safe_component(value) if value else "unknown"
        assert path[:4] == (made, f"a{made}", f"{made}b", made + made)


@given(
    st.lists(st.text(st.characters(), max_size=250), min_size=4, max_size=4),
    st.lists(st.sampled_from([*(f"{{{field}}}" for field in FIELDS), "/", "a", "-", "x.", "."]), max_size=12),
)
def test_any_template_that_is_taken_gives_a_path_within_the_folder(said: list[str], parts: list[str]) -> None:
    try:
        layout = Layout("".join([*parts, "{SOPInstanceUID}"]))
    except ValueError:
        return
    instance, title, called, other = said
    request = store_request(instance, ae_title=title, called=called)
    path = layout.path(request, dict.fromkeys(ELEMENTS.values(), other))
    assert len(path) == layout.template.count("/") + 1
    for component in path:
        assert re.fullmatch(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}", component)


def test_valid_uids_keep_their_names_and_other_instances_have_other_ones() -> None:
    longest = "1." + "9" * 62
    assert Layout().path(store_request(longest), {}) == (f"CT.{longest}",)
    assert len({Layout(BY_STUDY).path(store_request(value), {}) for value in ATTACKS}) == len(ATTACKS)


def test_instances_are_stored_where_the_layout_says(folder: Path) -> None:
    with FileStore(folder, layout=BY_STUDY) as store:
        assert keep(store, others=VALUES) == KEPT
        assert keep(store, "1.2.4", others=VALUES | {PATIENT_ID: "../../x"}) == KEPT
        assert keep(store, "1.2.5") == KEPT
        assert keep(store, "1.2.5", content=b"other") == KEPT
    assert names(folder) == sorted(
        [
            "PAT1/1.2.10/1.2.11/1.2.3.dcm",
            f"{safe_component('../../x')}/1.2.10/1.2.11/1.2.4.dcm",
            "unknown/unknown/unknown/1.2.5.dcm",
            "unknown/unknown/unknown/1.2.5~2.dcm",
        ]
    )
    assert not (folder / ".incoming").exists()


def test_values_that_stand_far_from_the_beginning_are_found(folder: Path) -> None:
    request = store_request()
    head, tail = data_set()[:-16], element(0x00100010, b"PN", b"Doe^John")
    assert head + tail == data_set()
    items = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + element(PATIENT_ID, b"LO", b"OTHER") + b"\xfe\xff\x0d\xe0\0\0\0\0"
    sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + items * 10_000 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    sent = head + sequence + tail + element(PATIENT_ID, b"LO", b"PAT1")
    with FileStore(folder, layout="{PatientID}/{SOPInstanceUID}") as store:
        assert take(store, request, sent) == KEPT
    assert names(folder) == ["PAT1/1.2.3"]

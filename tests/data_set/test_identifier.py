"""Identifiers: made of whatever users have, encoded, and read from whatever peers send."""

from __future__ import annotations

import datetime
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_dataset

from dimse import uids
from dimse.data_set import identifier as module
from dimse.data_set import reader, writer
from dimse.data_set.attributes import Attribute, swap
from dimse.data_set.identifier import Identifier, encode
from dimse.data_set.source import CutShort
from dimse.data_set.text import CharacterSets, character_sets
from tests.data_set.samples import as_pydicom_likes, explicit, sequence

EXPLICIT = uids.TransferSyntax(uids.ExplicitVRLittleEndian)
IMPLICIT = uids.TransferSyntax(uids.ImplicitVRLittleEndian, implicit_vr=True)
BIG = uids.TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False)
DEFLATED = uids.TransferSyntax(uids.DeflatedExplicitVRLittleEndian, deflated=True)
SYNTAXES = [EXPLICIT, IMPLICIT, BIG, DEFLATED]

KEYS: dict[Any, Any] = {
    "QueryRetrieveLevel": "STUDY",
    "PatientName": "DOE*",
    "PatientID": None,
    "StudyDate": "20240101-",
    "ModalitiesInStudy": ["CT", "MR"],
    "00080061": "CT\\MR",
    "Rows": 512,
    "RealWorldValueIntercept": 1.5,
    "SelectorAttribute": "PatientName",
    "ProcedureCodeSequence": [{"CodeValue": "A", "CodingSchemeDesignator": ""}],
    "RequestAttributesSequence": {"ScheduledProcedureStepID": None},
    0x00081140: [],
}


# --- Making ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: uids.name(syntax.uid))
def test_an_identifier_is_the_same_in_every_transfer_syntax(syntax: uids.TransferSyntax) -> None:
    data = encode(KEYS, syntax)
    assert len(data) % 2 == 0
    found = Identifier.read(data, syntax)
    assert found == Identifier.read(encode(KEYS, EXPLICIT), EXPLICIT)
    assert encode(found, syntax) == data
    if not syntax.deflated:
        read = read_dataset(BytesIO(data), syntax.implicit_vr, syntax.little_endian)
        assert read.PatientName == "DOE*"
        assert read.ModalitiesInStudy == ["CT", "MR"]
        assert read.Rows == 512
        assert read.RealWorldValueIntercept == 1.5
        assert read.SelectorAttribute == 0x00100010
        assert read.ProcedureCodeSequence[0].CodeValue == "A"
        assert list(read.ReferencedImageSequence) == []
        assert found.dataset() == read


def test_every_form_of_the_same_keys_is_the_same_identifier() -> None:
    data = encode(KEYS, EXPLICIT)
    made = Identifier.of(KEYS)
    for form in (made, made.json(), made.dataset(), data, encode(KEYS, IMPLICIT), bytearray(data), memoryview(data)):
        assert encode(form, EXPLICIT) == data  # type: ignore[arg-type]
    assert Identifier.of(made) is made


def test_json_that_a_parser_made_is_taken() -> None:
    given_ = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}, "00100020": {"vr": "LO"}}
    assert Identifier.of(given_)["PatientName"] == "Doe"
    assert encode({}, EXPLICIT) == b""


@pytest.mark.parametrize(
    ("keyword", "value", "values"),
    [
        ("PatientName", "", ()),
        ("PatientName", [], ()),
        ("PatientName", [""], ()),
        ("PatientName", ["A", None], ("A", "")),
        ("StudyDate", datetime.date(987, 6, 5), ("09870605",)),
        ("StudyTime", datetime.time(1, 2, 3), ("010203",)),
        ("StudyTime", datetime.time(1, 2, 3, 400), ("010203.000400",)),
        ("AcquisitionDateTime", datetime.datetime(2024, 1, 2, 3, 4, 5), ("20240102030405",)),  # noqa: DTZ001
        (
            "AcquisitionDateTime",
            datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))),
            ("20240102000000-0500",),
        ),
        ("AcquisitionDateTime", datetime.date(2024, 1, 2), ("20240102",)),
        ("StudyDate", datetime.datetime(2024, 1, 2, 3), ("20240102",)),  # noqa: DTZ001
        ("StudyTime", datetime.datetime(2024, 1, 2, 3, tzinfo=datetime.UTC), ("030000",)),
        ("SeriesNumber", 7, ("7",)),
        ("PatientWeight", 1 / 3, ("0.33333333333333",)),
        ("PatientWeight", "72.50", ("72.50",)),
        ("PatientID", 17, ("17",)),
        ("Rows", 512.0, (512,)),
        ("Rows", ["1", 2], (1, 2)),
        ("RealWorldValueIntercept", 2, (2.0,)),
        ("OffendingElement", 0x00100010, (0x00100010,)),
        ("EncapsulatedDocument", b"%PDF", (b"%PDF",)),
        ("EncapsulatedDocument", b"", ()),
        ("InstitutionAddress", "A\\B", ("A\\B",)),
        ("ProcedureCodeSequence", None, ()),
        ("ProcedureCodeSequence", {}, ({},)),
    ],
)
def test_a_value_of_python_becomes_one_of_its_vr(keyword: str, value: Any, values: tuple[Any, ...]) -> None:
    made = Identifier.of({keyword: value})
    (attribute,) = made.attributes.values()
    assert attribute.values == values
    encode(made, EXPLICIT)


@pytest.mark.parametrize(
    ("keys", "error", "reason"),
    [
        ({"PatientsName": "x"}, ValueError, "did you mean PatientName?"),
        ({"Rows": "x"}, ValueError, "Rows: 'x' is not a whole number"),
        ({"Rows": [1.5]}, ValueError, "Rows: 1.5 is not a whole number"),
        ({"Rows": object()}, TypeError, "Rows: VR US has no value of type object"),
        ({"Rows": True}, TypeError, "bool"),
        ({"PatientName": True}, TypeError, "PatientName: VR PN has no value of type bool"),
        ({"StudyDate": datetime.time(1)}, TypeError, "StudyDate: VR DA has no value of type time"),
        ({"StudyTime": datetime.date(2024, 1, 1)}, TypeError, "StudyTime: VR TM has no value of type date"),
        ({"PatientID": datetime.date(2024, 1, 1)}, TypeError, "PatientID: VR LO has no value of type date"),
        ({"EncapsulatedDocument": 7}, TypeError, "int"),
        ({"ProcedureCodeSequence": ["x"]}, TypeError, "an item of a sequence is a mapping, not str"),
        ({"ProcedureCodeSequence": [{"CodeValue": b"x"}]}, TypeError, "ProcedureCodeSequence: CodeValue: VR SH"),
        (7, TypeError, "not int"),
        (["PatientName"], TypeError, "not list"),
        ("PatientName=x", ValueError, "not JSON"),
    ],
)
def test_what_is_not_an_identifier_is_explained(keys: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error) as caught:
        encode(keys, EXPLICIT)
    assert reason in str(caught.value)


def test_a_number_beyond_its_vr_names_its_attribute() -> None:
    with pytest.raises(ValueError, match="Rows: US has no room"):
        encode({"Rows": 65536}, EXPLICIT)
    with pytest.raises(ValueError, match="SelectorFLValue: FL has no room"):
        encode({"SelectorFLValue": 1e300}, EXPLICIT)


def test_a_value_too_long_for_its_length_field_is_refused_where_it_is() -> None:
    keys = {"StudyInstanceUID": ["1.2.3"] * 12_000}
    assert len(encode(keys, IMPLICIT)) > 65_536
    with pytest.raises(ValueError, match="StudyInstanceUID is longer than an element of VR UI can be"):
        encode(keys, EXPLICIT)


# --- Character sets --------------------------------------------------------------------------------------------------


def test_an_identifier_names_a_character_set_where_it_needs_one() -> None:
    assert "SpecificCharacterSet" not in Identifier.read(encode({"PatientName": "Doe"}, EXPLICIT), EXPLICIT)
    found = Identifier.read(encode({"PatientName": "Müller"}, EXPLICIT), EXPLICIT)
    assert found["SpecificCharacterSet"] == "ISO_IR 192"
    assert found["PatientName"] == "Müller"
    nested = Identifier.read(encode({"ProcedureCodeSequence": [{"CodeMeaning": "Schädel"}]}, EXPLICIT), EXPLICIT)
    assert nested["SpecificCharacterSet"] == "ISO_IR 192"
    assert nested["ProcedureCodeSequence"][0]["CodeMeaning"] == "Schädel"


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller"),
        ("ISO_IR 100", "Mueller"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
        ("GB18030", "王"),
    ],
)
def test_the_character_set_that_is_asked_for_is_used(charset: str, name: str) -> None:
    data = encode({"PatientName": name}, EXPLICIT, charset)
    found = Identifier.read(data, EXPLICIT)
    assert found.text("SpecificCharacterSet") == charset
    assert found["PatientName"] == name
    with as_pydicom_likes():
        assert read_dataset(BytesIO(data), False, True).PatientName == name
    assert found.dataset().PatientName == name
    assert encode(found, EXPLICIT) == data


def test_the_character_set_of_the_keys_is_kept() -> None:
    keys = {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller"}
    assert Identifier.read(encode(keys, EXPLICIT), EXPLICIT).text("SpecificCharacterSet") == "ISO_IR 100"
    assert b"ISO_IR 192" in encode(keys | {"SpecificCharacterSet": None}, EXPLICIT)
    asked = Identifier.read(encode({"SpecificCharacterSet": None, "PatientName": "Doe"}, EXPLICIT), EXPLICIT)
    assert asked["SpecificCharacterSet"] is None


def test_a_character_set_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="PatientName has characters that are not in ISO_IR 100"):
        encode({"PatientName": "山田"}, EXPLICIT, "ISO_IR 100")
    with pytest.raises(ValueError, match="'KOI8-R' is not a character set"):
        encode({"PatientName": "山田"}, EXPLICIT, "KOI8-R")


def test_a_response_is_in_the_character_set_of_the_request_if_it_fits() -> None:
    nested = {"ProcedureCodeSequence": [{"CodeMeaning": "Schädel"}], "Rows": 1}
    assert module.fitting_charset(nested, "ISO_IR 100") == "ISO_IR 100"
    assert module.fitting_charset(nested, "ISO_IR 144") == "ISO_IR 192"
    assert module.fitting_charset(nested, "KOI8-R") == "ISO_IR 192"
    assert module.fitting_charset(nested, "") == module.fitting_charset(nested) == "ISO_IR 192"
    assert module.fitting_charset({"PatientName": "Doe"}, "ISO_IR 100") is None


def test_characters_that_a_set_does_not_have_are_replaced_on_demand() -> None:
    keys = {"PatientName": "Müller山", "ProcedureCodeSequence": [{"CodeMeaning": "山ä"}], "Rows": 1}
    found = Identifier.read(encode(keys, EXPLICIT, "ISO_IR 100", replace=True), EXPLICIT)
    assert found["PatientName"] == "Müller?"
    assert found["ProcedureCodeSequence"][0]["CodeMeaning"] == "?ä"
    assert found["Rows"] == 1


def test_an_unknown_character_set_does_not_matter_while_all_is_ascii() -> None:
    raw = explicit(0x00080005, "CS", b"KOI8-R") + explicit(0x00100010, "PN", b"Doe ")
    found = Identifier.read(raw, EXPLICIT)
    assert found.character_sets.unknown == ("KOI8-R",)
    assert encode(found, EXPLICIT) == raw
    with as_pydicom_likes():
        assert found.dataset().PatientName == "Doe"
    beyond = Identifier.read(raw + explicit(0x00100020, "LO", b"\xfc "), EXPLICIT)
    assert beyond.has_guessed_text
    assert beyond.dataset().PatientID == "ü"


def test_an_item_has_the_character_set_that_it_names() -> None:
    inner = explicit(0x00080005, "CS", b"ISO_IR 144") + explicit(0x00080104, "LO", b"\xbb\xee")
    raw = explicit(0x00080005, "CS", b"ISO_IR 100") + sequence(0x00081032, inner) + explicit(0x00100010, "PN", b"M\xfc")
    found = Identifier.read(raw, EXPLICIT)
    assert found["PatientName"] == "Mü"
    assert found["ProcedureCodeSequence"][0]["CodeMeaning"] == "Лю"
    assert encode(found.dataset(), EXPLICIT) == encode(found, EXPLICIT, "ISO_IR 192")


def test_text_without_a_character_set_is_guessed_and_said_so() -> None:
    for raw, name in ((b"M\xfcller", "Müller"), ("Mülle".encode(), "Mülle")):
        found = Identifier.read(sequence(0x00081032, explicit(0x00080104, "LO", raw)), EXPLICIT)
        assert found["ProcedureCodeSequence"][0]["CodeMeaning"] == name
        assert found.has_guessed_text
    assert not Identifier.read(explicit(0x00100010, "PN", b"Doe^"), EXPLICIT).has_guessed_text
    assumed = Identifier.read(explicit(0x00100010, "PN", b"\xbb\xee"), EXPLICIT, "ISO_IR 144")
    assert assumed["PatientName"] == "Лю"
    assert not assumed.has_guessed_text
    assert not Identifier.of({"PatientName": "Mü", "SpecificCharacterSet": "ISO_IR 192"}).has_guessed_text


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_values_have_the_types_of_python() -> None:
    found = Identifier.of(
        {
            "PatientName": " Doe^John ",
            "PatientID": None,
            "SeriesNumber": "+007",
            "InstanceNumber": "7.0",
            "PatientWeight": "72.50",
            "PixelSpacing": "0.5\\x",
            "Rows": 512,
            "ImageType": "A\\B",
            "EncapsulatedDocument": b"%PDF",
            "InstitutionAddress": " a",
            "ProcedureCodeSequence": [{"CodeValue": "A"}],
            "AcquisitionNumber": "9" * 70,
        }
    )
    assert found["PatientName"] == found[0x00100010] == found["0010,0010"] == "Doe^John"
    assert found["PatientID"] is None
    assert (found["SeriesNumber"], found["InstanceNumber"], found["AcquisitionNumber"]) == (7, "7.0", "9" * 70)
    assert (found["PatientWeight"], found["PixelSpacing"]) == (72.5, (0.5, "x"))
    assert (found["Rows"], found["ImageType"], found["EncapsulatedDocument"]) == (512, ("A", "B"), b"%PDF")
    assert found["InstitutionAddress"] == " a"
    assert found["ProcedureCodeSequence"][0]["CodeValue"] == "A"
    assert found.text("ImageType") == "A\\B"
    assert found.text("EncapsulatedDocument") == "25504446"
    assert found.text("PatientID") == found.text("StudyDate") == found.text("ProcedureCodeSequence") == ""


def test_it_reads_like_a_mapping() -> None:
    found = Identifier.read(encode({"StudyDate": "20240101", "PatientName": "Doe"}, EXPLICIT), EXPLICIT)
    assert list(found) == [0x00080020, 0x00100010]
    assert len(found) == 2
    assert "PatientName" in found
    assert 0x00100010 in found
    assert "PatientID" not in found
    assert "NoKeyword" not in found
    assert found.get("PatientID") is None
    assert found.get("PatientID", "x") == "x"
    assert found.get("PatientName") == "Doe"
    with pytest.raises(KeyError, match="the data set has no PatientID"):
        found["PatientID"]
    with pytest.raises(KeyError, match="did you mean PatientName"):
        found.get("PatientsName")
    assert found != 7
    assert len(found.attributes) == len(dict(found.attributes)) == 2


def test_its_repr_shows_no_value() -> None:
    found = Identifier.of({"PatientName": "Doe", 0x00091001: None})
    assert repr(found) == "<Identifier: (0009,1001), PatientName>"


def test_signed_samples_are_read_as_such() -> None:
    values = {"PixelRepresentation": 1, "SmallestImagePixelValue": 0xFFFF}
    assert Identifier.read(encode(values, IMPLICIT), IMPLICIT)["SmallestImagePixelValue"] == -1
    values["PixelRepresentation"] = 0
    assert Identifier.read(encode(values, IMPLICIT), IMPLICIT)["SmallestImagePixelValue"] == 0xFFFF


def test_fragments_and_words_of_other_readers_are_decoded() -> None:
    from dimse.data_set import elements
    from dimse.data_set.attributes import Decoded

    raw = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\2\0\0\0ab\xfe\xff\xdd\xe0\0\0\0\0"
    read = elements.read(memoryview(raw), EXPLICIT)
    assert Decoded(read)[0x7FE00010] == Attribute("OB", (b"", b"ab"))
    assert swap(b"\1\2\3\4\5", 2) == b"\2\1\4\3\5"


def test_values_are_decoded_when_they_are_asked_for() -> None:
    found = Identifier.read(encode(KEYS, EXPLICIT), EXPLICIT)
    assert found.attributes[0x00100010] is found.attributes[0x00100010]
    assert found.character_sets == CharacterSets()
    assert Identifier.of({"SpecificCharacterSet": "GBK"}).character_sets == character_sets(["GBK"])


_names = st.text(st.characters(exclude_characters="\\^=\0", exclude_categories=["Cs", "Cc"]), max_size=8)


@given(
    st.dictionaries(st.sampled_from(["PatientName", "StudyDescription", "PatientComments"]), _names),
    st.sampled_from(SYNTAXES),
)
def test_any_text_survives(keys: dict[str, str], syntax: uids.TransferSyntax) -> None:
    found = Identifier.read(encode(keys, syntax), syntax)
    assert {keyword: found.text(keyword) for keyword in keys} == {key: text.rstrip(" ") for key, text in keys.items()}


def test_a_pydicom_data_set_gives_what_it_holds() -> None:
    data_set = Dataset()
    data_set.PatientName = "Yamada^Tarou=山田^太郎"
    data_set.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    data_set.PatientWeight = "072.50"
    data_set.SeriesNumber = "007"
    data_set.PixelSpacing = ["0.50", "0.5"]
    data_set.StudyDate = ""
    data_set.OffendingElement = 0x00100010
    data_set.SmallestImagePixelValue = 7
    data_set.add_new(0x00091001, "UN", b"ab")
    data_set.ProcedureCodeSequence = [Dataset()]
    data_set.add_new(0x00080000, "UL", 4)
    found = Identifier.read(encode(data_set, EXPLICIT), EXPLICIT)
    assert found["PatientName"] == "Yamada^Tarou=山田^太郎"
    assert found.text("SpecificCharacterSet") == "\\ISO 2022 IR 87"
    assert (found.text("PatientWeight"), found.text("SeriesNumber")) == ("072.50", "007")
    assert found.text("PixelSpacing") == "0.50\\0.5"
    assert found["StudyDate"] is None
    assert found["OffendingElement"] == 0x00100010
    assert found[0x00091001] == b"ab"
    assert found["ProcedureCodeSequence"] == (Identifier({}),)
    assert 0x00080000 not in found


def test_an_identifier_is_made_and_read_without_pydicom() -> None:
    program = (
        "import sys; from dimse import uids; from dimse.data_set.identifier import *; from dimse.matching import prepare;"
        "syntax = uids.TransferSyntax(uids.ExplicitVRLittleEndian);"
        "found = Identifier.read(encode({'PatientName': 'DOE*'}, syntax), syntax); found.json();"
        "assert prepare(found.attributes).matches(found.attributes);"
        "assert not {'pydicom', 'numpy', 're', 'dataclasses'} & set(sys.modules) - {'re'}"
    )
    environment = {"PYTHONPATH": str(Path(module.__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50, env=environment)


def test_the_first_element_shows_whether_bytes_have_vr() -> None:
    data = writer.write({0x00100010: Attribute("PN", ("Doe",))}, IMPLICIT, CharacterSets())
    assert Identifier.of(data)["PatientName"] == "Doe"
    assert reader.read(b"", IMPLICIT) == {}
    with pytest.raises(CutShort):
        Identifier.of(b"abc")

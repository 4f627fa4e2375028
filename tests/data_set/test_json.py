"""The DICOM JSON Model (PS3.18 Annex F), both ways, held against pydicom's by value."""

from __future__ import annotations

import json as standard_json
import math
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_dataset

from dimse import uids
from dimse.data_set import elements, json, reader, writer
from dimse.data_set.attributes import Attribute
from dimse.data_set.decimals import decimal_string, json_number
from dimse.data_set.encoding import EXPLICIT_VR_LITTLE_ENDIAN
from dimse.data_set.identifier import Identifier
from dimse.data_set.json import BulkElement, MalformedJSON
from dimse.data_set.reader import Limits
from dimse.data_set.text import character_sets
from tests import files
from tests.data_set.samples import as_pydicom_likes

SHIPPED = files.pydicom_files()
WITH_SYNTAX = [
    file
    for file in (*SHIPPED.sendable, *SHIPPED.repeated)
    if (syntax := uids.transfer_syntax(file.transfer_syntax)) and syntax.has_elements
]
UTF_8 = character_sets(["ISO_IR 192"])


def comparable(member: Any) -> Any:
    """Return a value of JSON in a form in which equal ones are equal: numbers as numbers, in text too."""
    if isinstance(member, dict):
        return {key: comparable(value) for key, value in member.items() if value not in (None, "", [], [""], [None])}
    if isinstance(member, list):
        return [comparable(value or None) for value in member]
    if isinstance(member, str):
        try:
            return float(member)
        except ValueError:
            return member.strip(" \0")
    return float(member) if isinstance(member, (int, float)) else member


def of_pydicom(data_set: bytes, syntax: uids.TransferSyntax) -> dict[str, Any]:
    """Return what pydicom makes of a data set, without pixel data and what is not of a data set."""
    with as_pydicom_likes():
        read = read_dataset(BytesIO(data_set), syntax.implicit_vr, syntax.little_endian)
        found = standard_json.loads(read.to_json(suppress_invalid_tags=True))
    return {tag: member for tag, member in found.items() if tag[4:] != "0000" and tag[:4] != "0002"}


@pytest.mark.parametrize("file", WITH_SYNTAX, ids=lambda file: file.path.name)
def test_a_file_becomes_what_pydicom_makes_of_it(file: files.Part10File) -> None:
    syntax = uids.transfer_syntax(file.transfer_syntax)
    assert syntax is not None
    try:
        read = elements.read(memoryview(file.data_set), syntax)
    except elements.Unfit as error:
        pytest.skip(f"not read: {error}")
    ours = standard_json.loads(json.write(read))
    data = file.data_set
    if syntax.deflated:
        data, syntax = writer_of(read), EXPLICIT_VR_LITTLE_ENDIAN
    theirs = of_pydicom(data, syntax)
    # pydicom leaves out what has a malformed value.
    assert set(theirs) <= set(ours)
    assert len(ours) - len(theirs) <= 2
    for tag, member in theirs.items():
        # pydicom leaves the items of encapsulated pixel data out, and knows private elements of some makers.
        if tag == "7FE00010" or ours[tag]["vr"] == "UN":
            continue
        assert comparable(ours[tag]) == comparable(member), tag


def writer_of(read: elements.DataSet) -> bytes:
    """Return elements in Explicit VR Little Endian."""
    return elements.write(read, EXPLICIT_VR_LITTLE_ENDIAN)


@pytest.mark.parametrize("file", WITH_SYNTAX, ids=lambda file: file.path.name)
def test_what_is_written_is_read_again(file: files.Part10File) -> None:
    syntax = uids.transfer_syntax(file.transfer_syntax)
    assert syntax is not None
    try:
        read = elements.read(memoryview(file.data_set), syntax)
    except elements.Unfit as error:
        pytest.skip(f"not read: {error}")
    without_pixels = {tag: element for tag, element in read.items() if tag != 0x7FE00010}
    text = json.write(without_pixels)
    attributes = json.read(text, Limits(size=len(text), elements=100_000))
    again = writer.write(attributes, EXPLICIT_VR_LITTLE_ENDIAN, UTF_8)
    unlimited = Limits(size=1 << 30, elements=1 << 20)
    unicode = json.write(reader.read(again, EXPLICIT_VR_LITTLE_ENDIAN, unlimited), sets=UTF_8)
    named = standard_json.loads(text).get("00080005")
    before, after = standard_json.loads(text), standard_json.loads(unicode)
    assert set(before) == set(after)
    # The text is in UTF-8, whatever the data set says of itself. A sequence in UN is one when it is read as an identifier.
    assert named is not None or all(before[tag] == after[tag] or before[tag]["vr"] == "UN" for tag in before)


def written(**given: Any) -> Any:
    """Return the JSON of an identifier with these attributes."""
    return standard_json.loads(Identifier.of(given).json())


def test_every_kind_of_value_has_its_form() -> None:
    found = written(
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        PatientID="",
        OffendingElement=["00100010"],
        Rows=512,
        RealWorldValueIntercept=1.5,
        PatientWeight="+072.50",
        SeriesNumber="007",
        ImageType="ORIGINAL\\\\AXIAL",
        EncapsulatedDocument=b"%PDF",
        ContentSequence=[{"CodeValue": "A"}, {}],
        ReferencedSeriesSequence=[],
    )
    assert found == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        "00081115": {"vr": "SQ"},
        "00100010": {
            "vr": "PN",
            "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}],
        },
        "00100020": {"vr": "LO"},
        "00101030": {"vr": "DS", "Value": [72.5]},
        "00200011": {"vr": "IS", "Value": [7]},
        "00280010": {"vr": "US", "Value": [512]},
        "00409224": {"vr": "FD", "Value": [1.5]},
        "00420011": {"vr": "OB", "InlineBinary": "JVBERg=="},
        "0040A730": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["A"]}}, {}]},
    } | {key: found[key] for key in found if key.startswith("0000")}


def test_group_lengths_and_file_meta_are_left_out() -> None:
    raw = b"\x02\0\x10\0UI\x02\x001\0\x08\0\0\0UL\x04\0\x0a\0\0\0\x08\0\x60\0CS\x02\0CT"
    read = elements.read(memoryview(raw), EXPLICIT_VR_LITTLE_ENDIAN)
    assert json.write(read) == '{"00080060":{"vr":"CS","Value":["CT"]}}'
    assert json.write({}) == "{}"
    assert json.write_all([read, {}]) == '[{"00080060":{"vr":"CS","Value":["CT"]}},{}]'


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"),
        ("+1", "1"),
        ("-0.50", "-0.50"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("000", "0"),
        ("1E5", "1e5"),
        ("1.0e-05", "1.0e-05"),
        ("1e+5", "1e+5"),
        ("", None),
        (".", None),
        ("e5", None),
        ("1e", None),
        ("1e5.5", None),
        ("--1", None),
        ("0x10", None),
        ("NaN", None),
        ("inf", None),
        ("1 2", None),
        ("\u0661", None),
    ],
)
def test_a_number_has_the_digits_that_it_had(text: str, number: str | None) -> None:
    assert json_number(text) == number
    if number is not None:
        assert standard_json.loads(number) == float(text)


def test_malformed_numbers_are_text() -> None:
    found = written(PatientWeight="1,5", SeriesNumber="1.5", InstanceNumber="abc")
    assert [found[tag]["Value"] for tag in ("00101030", "00200011", "00200013")] == [["1,5"], ["1.5"], ["abc"]]


def test_numbers_that_are_not_finite_are_text() -> None:
    found = written(RealWorldValueLUTData=[math.nan, math.inf, -math.inf, 0.1])
    assert found["00409212"]["Value"] == ["NaN", "inf", "-inf", 0.1]
    again = json.read('{"00409212":{"vr":"FD","Value":["inf","-inf",1e3]}}')
    assert again[0x00409212] == Attribute("FD", (math.inf, -math.inf, 1000.0))


def test_tags_and_words_of_big_endian_are_the_same() -> None:
    big = uids.TransferSyntax(uids.ExplicitVRBigEndian, little_endian=False)
    attributes = {
        0x00080000 + 1: Attribute("UL", (1,)),
        0x00000901 + 0x00720000: Attribute("AT", (0x00100010, 0x00100020)),
        0x54001010: Attribute("OW", (b"\1\0\2\0",)),
        0x00280010: Attribute("US", (512,)),
        0x00091001: Attribute("UN", (b"ab",)),
    }
    texts = [
        json.write(reader.read(writer.write(attributes, syntax, UTF_8), syntax))
        for syntax in (EXPLICIT_VR_LITTLE_ENDIAN, big)
    ]
    assert texts[0] == texts[1]
    assert standard_json.loads(texts[0])["00720901"]["Value"] == ["00100010", "00100020"]
    assert standard_json.loads(texts[0])["54001010"]["InlineBinary"] == "AQACAA=="


def test_the_bytes_of_values_may_be_elsewhere() -> None:
    asked: list[BulkElement] = []

    def uri(element: BulkElement) -> str | None:
        asked.append(element)
        return f"bulk/{'/'.join(map(str, element.location))}" if element.length > 2 else None

    identifier = Identifier.of(
        {"EncapsulatedDocument": b"%PDF", "Rows": 1, "ContentSequence": [{}, {"SimpleFrameList": [1, 2]}]}
    )
    found = standard_json.loads(identifier.json(uri))
    assert found["00420011"] == {"vr": "OB", "BulkDataURI": f"bulk/{0x00420011}"}
    assert found["00280010"] == {"vr": "US", "Value": [1]}
    assert found["0040A730"]["Value"][1]["00081161"]["BulkDataURI"] == f"bulk/{0x0040A730}/2/{0x00081161}"
    assert [element.vr for element in asked] == ["US", "UL", "OB"]


def test_encapsulated_pixel_data_has_its_items() -> None:
    raw = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\2\0\0\0ab\xfe\xff\xdd\xe0\0\0\0\0"
    read = elements.read(memoryview(raw), EXPLICIT_VR_LITTLE_ENDIAN)
    found = standard_json.loads(json.write(read))["7FE00010"]
    assert standard_json.loads(json.write(read, lambda element: str(element.length)))["7FE00010"]["BulkDataURI"] == "26"
    assert json.read({"7FE00010": found})[0x7FE00010] == Attribute("OB", (raw[12:],))


def test_a_value_of_unknown_vr_is_that_of_the_dictionary() -> None:
    raw = b"\x10\0\x10\0UN\0\0\4\0\0\0Doe \x09\0\1\x10UN\0\0\2\0\0\0ab\x40\0\x30\xa7UN\0\0\2\0\0\0ab"
    found = standard_json.loads(json.write(reader.read(raw, EXPLICIT_VR_LITTLE_ENDIAN)))
    assert found["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}
    assert found["00091001"] == {"vr": "UN", "InlineBinary": "YWI="}
    assert found["0040A730"] == {"vr": "UN", "InlineBinary": "YWI="}


# --- Reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "attribute"),
    [
        ('{"vr":"PN","Value":[{"Alphabetic":"A","Phonetic":"C"},null,"D"]}', Attribute("PN", ("A==C", "", "D"))),
        ('{"vr":"LO"}', Attribute("LO", ())),
        ('{"vr":"LO","Value":[]}', Attribute("LO", ())),
        ('{"vr":"LO","Value":[null]}', Attribute("LO", ())),
        ('{"vr":"LO","Value":["a",null]}', Attribute("LO", ("a", ""))),
        ('{"vr":"LO","Value":null}', Attribute("LO", ())),
        ('{"Value":[{"Alphabetic":null}]}', Attribute("PN", ())),
        ('{"vr":"DS","Value":[1.50,"x",2,-1e5]}', Attribute("DS", ("1.50", "x", "2", "-1e5"))),
        ('{"vr":"DS","Value":[3.14159265358979323846]}', Attribute("DS", ("3.14159265358979",))),
        ('{"vr":"IS","Value":[7,7.0,"x"]}', Attribute("IS", ("7", "7", "x"))),
        ('{"vr":"AT","Value":["0010001f"]}', Attribute("AT", (0x0010001F,))),
        ('{"vr":"US","Value":[65535,1.0]}', Attribute("US", (65535, 1))),
        ('{"vr":"SV","Value":["-9223372036854775808",1]}', Attribute("SV", (-(2**63), 1))),
        ('{"vr":"FL","Value":[1,0.5]}', Attribute("FL", (1.0, 0.5))),
        ('{"vr":"OB","InlineBinary":"AQI="}', Attribute("OB", (b"\1\2",))),
        ('{"vr":"OB","InlineBinary":""}', Attribute("OB", ())),
        ('{"vr":"US","InlineBinary":"AQI="}', Attribute("US", (0x0201,))),
        ('{"vr":"LO","InlineBinary":"w7w="}', Attribute("LO", ("ü",))),
        ('{"vr":"OW","BulkDataURI":"x"}', Attribute("OW", (b"bulk",))),
        ('{"vr":"SQ","Value":[{},null]}', Attribute("SQ", ({}, {}))),
        ('{"vr":"LO"},"00100000":{"vr":"UL"}', Attribute("LO", ())),
    ],
)
def test_a_member_is_read(member: str, attribute: Attribute) -> None:
    assert json.read(f'{{"00100010":{member}}}', fetch=lambda uri, tag, vr: b"bulk") == {0x00100010: attribute}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("[1]", "not an object"),
        ('{"PatientName":{"vr":"PN"}}', "eight hexadecimal digits"),
        ('{"0010001":{"vr":"PN"}}', "eight hexadecimal digits"),
        ('{"00100010":1}', "00100010 is not an object"),
        ('{"00100010":{"vr":"XX"}}', "no VR"),
        ('{"00100010":{"vr":1}}', "no VR"),
        ('{"00100010":{"vr":"PN","Value":"x"}}', "not an array"),
        ('{"00100010":{"vr":"PN","Value":[1]}}', "Value[0]: a name"),
        ('{"00100010":{"vr":"PN","Value":[{"Alphabetic":1}]}}', "Value[0]: a name"),
        ('{"00100010":{"vr":"LO","Value":[1]}}', "VR LO has text"),
        ('{"00100010":{"vr":"LO","Value":[1.5]}}', "VR LO has text"),
        ('{"00100010":{"vr":"LO","Value":[true]}}', "true and false"),
        ('{"00100010":{"vr":"LO","Value":["a"],"InlineBinary":"AQI="}}', "both"),
        ('{"00100010":{"vr":"OB","Value":["a"]}}', "InlineBinary"),
        ('{"00100010":{"vr":"OB","InlineBinary":"*"}}', "base64"),
        ('{"00100010":{"vr":"OB","InlineBinary":"ü"}}', "base64"),
        ('{"00100010":{"vr":"OB","InlineBinary":1}}', "VR OB"),
        ('{"00100010":{"vr":"SQ","InlineBinary":"AQI="}}', "VR SQ"),
        ('{"00100010":{"vr":"OB","BulkDataURI":"x"}}', "elsewhere"),
        ('{"00100010":{"vr":"SQ","Value":[1]}}', "not an object"),
        ('{"00100010":{"vr":"US","Value":[65536]}}', "beyond"),
        ('{"00100010":{"vr":"US","Value":[-1]}}', "beyond"),
        ('{"00100010":{"vr":"SS","Value":[32768]}}', "beyond"),
        ('{"00100010":{"vr":"US","Value":[1.5]}}', "whole number"),
        ('{"00100010":{"vr":"US","Value":[1e999]}}', "whole number"),
        ('{"00100010":{"vr":"US","Value":["1"]}}', "whole number"),
        ('{"00100010":{"vr":"SV","Value":["x"]}}', "Value[0]"),
        ('{"00100010":{"vr":"FL","Value":["x"]}}', "not a number"),
        ('{"00100010":{"vr":"FL","Value":[NaN]}}', "not JSON"),
        ('{"00100010":{"vr":"IS","Value":[1.5]}}', "whole number"),
        ('{"00100010":{"vr":"DS","Value":[1e99999]}}', ""),
        ('{"00100010":{"vr":"AT","Value":["xyz"]}}', "hexadecimal"),
        ("[" * 100_000, "nested"),
        ('{"00100010":{"vr":"US","Value":[' + "1" * 5000 + "]}}", "not JSON"),
        ('{"0040A730":{"vr":"SQ","Value":[' * 70 + "{}" + "]}}" * 70, ""),
    ],
    ids=lambda text: text[:60],
)
def test_what_is_not_a_data_set_is_refused(text: str, reason: str) -> None:
    if text.startswith('{"00100010":{"vr":"DS"'):
        assert json.read(text)[0x00100010] == Attribute("DS", ("1e99999",))  # as it stands: it fits
        return
    with pytest.raises(MalformedJSON) as caught:
        json.read(text)
    assert reason in str(caught.value)


def test_the_message_names_the_place_and_not_the_value() -> None:
    with pytest.raises(MalformedJSON) as caught:
        json.read_all('[{"0040A730":{"vr":"SQ","Value":[{"00100010":{"vr":"PN","Value":["Doe",7]}}]}}]')
    assert str(caught.value) == "[0]0040A730[0].00100010.Value[1]: a name has Alphabetic, Ideographic and Phonetic"


def test_the_text_is_bounded() -> None:
    with pytest.raises(MalformedJSON, match="longer than 10"):
        json.read('{"00100010":{}}', Limits(size=10))
    with pytest.raises(MalformedJSON, match="more than 1 attributes"):
        json.read('{"00100010":{},"00100020":{}}', Limits(elements=1))
    with pytest.raises(MalformedJSON, match="nested more than 1 "):
        json.read('{"0040A730":{"vr":"SQ","Value":[{"0040A730":{"vr":"SQ","Value":[{}]}}]}}', Limits(depth=1))


def test_an_array_or_an_object_is_read() -> None:
    one = '{"00100020":{"vr":"LO","Value":["1"]}}'
    assert json.read_all(f"[{one},{one}]") == [json.read(one)] * 2
    assert json.read_all(one.encode()) == [json.read(standard_json.loads(one))]


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1"), (0.1, "0.1"), (1 / 3, "0.33333333333333"), (-1e-300 / 3, "-3.33333333e-301"), (123456789012345678, "")],
)
def test_a_number_fits_a_ds(number: float, text: str) -> None:
    found = decimal_string(number)
    assert len(found) <= 16
    assert float(found) == pytest.approx(number, rel=1e-9)
    assert not text or found == text


def test_a_number_that_is_not_one_does_not_become_a_ds() -> None:
    with pytest.raises(ValueError, match="DS"):
        decimal_string("1" * 400)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["LO", "PN", "SQ", "US"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["00100010", "0040A730", "vr", "Value", "InlineBinary", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_nothing_but_its_own_error_is_raised(value: Any) -> None:
    for given_ in (value, standard_json.dumps(value)):
        if isinstance(given_, (str, dict)):
            try:
                json.read(given_)
            except MalformedJSON:
                continue


def test_pydicom_reads_what_is_written() -> None:
    data_set = Dataset()
    data_set.PatientName = "Doe^John"
    data_set.StudyDate = ""
    data_set.PatientWeight = "72.5"
    data_set.ReferencedStudySequence = [Dataset()]
    assert Dataset.from_json(Identifier.of(data_set).json()) == data_set

"""Keys as users write them become attributes, or a message that says what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from dimse.data_set.attributes import Attribute
from dimse.data_set.keys import MalformedKey, doubts, parse

PATIENT_NAME, BEAMS, DACS = 0x00100010, 0x300A00B0, 0x00143073


def sequence(*items: dict[int, Attribute]) -> Attribute:
    """Return a sequence of these items."""
    return Attribute("SQ", items)


@pytest.mark.parametrize(
    ("key", "attributes"),
    [
        ("PatientName=DOE*", {PATIENT_NAME: Attribute("PN", ("DOE*",))}),
        ("PatientName=", {PATIENT_NAME: Attribute("PN", ())}),
        ("PatientName", {PATIENT_NAME: Attribute("PN", ())}),
        ("0010,0010=A=B=C", {PATIENT_NAME: Attribute("PN", ("A=B=C",))}),
        ("(0010,0010)=a.b:c[0]", {PATIENT_NAME: Attribute("PN", ("a.b:c[0]",))}),
        ("00100010= a ", {PATIENT_NAME: Attribute("PN", (" a ",))}),
        ("(0010,0010=x", {PATIENT_NAME: Attribute("PN", ("x",))}),
        ("7ffe,0040=", {0x7FFE0040: Attribute("OW", ())}),
        ("(0020,3100)=2", {0x00203100: Attribute("CS", ("2",))}),
        ("0029,0100=0a0B", {0x00290100: Attribute("UN", (b"\n\x0b",))}),
        ("0029,1010:LO=X", {0x00291010: Attribute("LO", ("X",))}),
        (
            "[SIEMENS CSA. HEADER=]0029,1010:LO=X",
            {0x00290010: Attribute("LO", ("SIEMENS CSA. HEADER=",)), 0x00291010: Attribute("LO", ("X",))},
        ),
        ("PatientName:LO=X", {PATIENT_NAME: Attribute("LO", ("X",))}),
        ("RetrieveAETitle=A\\B", {0x00080054: Attribute("AE", ("A", "B"))}),
        ("InstitutionAddress=A\\B", {0x00080081: Attribute("ST", ("A\\B",))}),
        ("Rows=512", {0x00280010: Attribute("US", (512,))}),
        ("RationalNumeratorValue=-12\\-13\\15", {0x0040A162: Attribute("SL", (-12, -13, 15))}),
        ("VectorAccuracy=1.5", {0x00660020: Attribute("FL", (1.5,))}),
        (
            "OffendingElement=00100020\\0010,0021\\PatientName",
            {0x00000901: Attribute("AT", (0x100020, 0x100021, 0x100010))},
        ),
        ("EncapsulatedDocument=25 50", {0x00420011: Attribute("OB", (b"%P",))}),
        ("SmallestImagePixelValue=1", {0x00280106: Attribute("US", (1,))}),
        ("BeamSequence=", {BEAMS: sequence()}),
        ("BeamSequence", {BEAMS: sequence()}),
        ("BeamSequence[0]=", {BEAMS: sequence({})}),
        ("BeamSequence[0]", {BEAMS: sequence({})}),
        ("300a,00b0[3]=", {BEAMS: sequence({}, {}, {}, {})}),
        ("(300a,00b0)[0]=", {BEAMS: sequence({})}),
        ("BeamSequence[0].BeamName=Test", {BEAMS: sequence({0x300A00C2: Attribute("LO", ("Test",))})}),
        (
            "BeamSequence[1].BeamSequence[0].BeamNumber=",
            {BEAMS: sequence({}, {BEAMS: sequence({0x300A00C0: Attribute("IS", ())})})},
        ),
        (
            "0029,1010:SQ[0].[ACME]0029,1010:SH=x",
            {0x00291010: sequence({0x00290010: Attribute("LO", ("ACME",)), 0x00291010: Attribute("SH", ("x",))})},
        ),
        ("0029,1010[0]:SQ.Rows=1", {0x00291010: sequence({0x00280010: Attribute("US", (1,))})}),
    ],
)
def test_a_key_is_read(key: str, attributes: dict[int, Attribute]) -> None:
    assert parse([key]) == attributes


def test_keys_add_to_each_other_and_a_later_one_counts() -> None:
    found = parse(
        [
            "PatientName=Test^Name",
            "BeamSequence[0].BeamSequence[0].BeamNumber=1",
            "BeamSequence[0].BeamSequence[1].BeamNumber=2",
            "BeamSequence[1].BeamSequence[0].BeamNumber=4",
            "PatientName=Test^Name^2",
            "BeamSequence[3]=",
        ]
    )

    def number(text: str) -> dict[int, Attribute]:
        return {0x300A00C0: Attribute("IS", (text,))}

    inner: tuple[dict[int, Attribute], ...] = (
        {BEAMS: sequence(number("1"), number("2"))},
        {BEAMS: sequence(number("4"))},
        {},
        {},
    )
    assert found == {PATIENT_NAME: Attribute("PN", ("Test^Name^2",)), BEAMS: sequence(*inner)}


def test_keys_override_what_a_file_has_and_leave_it_as_it_was() -> None:
    base = {PATIENT_NAME: Attribute("PN", ("A",)), BEAMS: sequence({0x300A00C0: Attribute("IS", ("1",))})}
    found = parse(["PatientName=B", "BeamSequence[0].BeamName=X", "BeamSequence[1]="], base)
    assert found[PATIENT_NAME].values == ("B",)
    assert found[BEAMS] == sequence({0x300A00C0: Attribute("IS", ("1",)), 0x300A00C2: Attribute("LO", ("X",))}, {})
    assert base[BEAMS] == sequence({0x300A00C0: Attribute("IS", ("1",))})


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("BadPatientName=*", "neither a keyword of PS3.6 nor a tag"),
        ("PatientsName=*", "did you mean PatientName?"),
        ("=x", "neither a keyword"),
        ("", "neither a keyword"),
        ("abcdefgh", "neither a keyword"),
        ("0010,001=x", "neither a keyword"),
        ("SourceImageIDs=1", "repeating group"),
        ("BeamSequence[", "from [0] on"),
        ("BeamSequence]", "neither a keyword"),
        ("BeamSequence][", "from [0] on"),
        ("BeamSequence[]", "from [0] on"),
        ("BeamSequence[-1]", "from [0] on"),
        ("BeamSequence[as]", "from [0] on"),
        ("BeamSequence[0]x", "'x' stands where"),
        ("BeamSequence.BeamName=x", "BeamSequence[0]"),
        ("BeamSequence[65].BeamName=x", "skips at most 64"),
        ("BeamSequence=x", "has no value of its own"),
        ("BeamSequence[0]=x", "has no value of its own"),
        ("PatientName[0]=x", "is not a sequence"),
        ("PatientName[0].BeamName=x", "is not a sequence"),
        ("PatientName:XX=x", "'XX' is not a VR"),
        ("PatientName:=x", "is not a VR"),
        ("[ACME]PatientName=x", "is not a private element"),
        ("[ACME]0029,0010=x", "is not a private element"),
        ("[]0029,1010=x", "between [ and ]"),
        ("[ACME0029,1010=x", "between [ and ]"),
        ("Rows=abc", "not a whole number"),
        ("Rows=1.5", "not a whole number"),
        ("VectorAccuracy=x", "not a number"),
        ("OffendingElement=xyz", "neither a keyword"),
        ("EncapsulatedDocument=abc", "hexadecimal"),
    ],
)
def test_a_malformed_key_is_explained(key: str, reason: str) -> None:
    with pytest.raises(MalformedKey) as caught:
        parse([key])
    assert str(caught.value).startswith(repr(key))
    assert reason in str(caught.value)


def test_a_private_block_has_one_creator() -> None:
    with pytest.raises(MalformedKey, match="another private creator, 'ACME'"):
        parse(["[ACME]0029,1010:LO=X", "[OTHER]0029,1011:LO=X"])
    assert len(parse(["[ACME]0029,1010:LO=X", "[OTHER]0029,1111:LO=X"])) == 4


@pytest.mark.parametrize(
    "key",
    [
        "StudyDate=20240101-20240131",
        "StudyTime=10:10-",
        "PatientName=*?",
        "PatientID=" + "x" * 100,
        "Modality=C*",
        'StudyDate=""',
        "AcquisitionDateTime=20240101+0100-",
        "InstanceNumber=-7",
        "PatientComments=a\nb",
        "Rows=1",
    ],
)
def test_what_is_legal_as_a_key_raises_no_doubt(key: str) -> None:
    assert doubts(parse([key])) == []


@pytest.mark.parametrize(
    ("key", "keyword"),
    [
        ("StudyDate=2024/01/01", "StudyDate"),
        ("StudyDate=today", "StudyDate"),
        ("StudyDate=2024-01-31", "StudyDate"),
        ("StudyDate=2024-", "StudyDate"),
        ("Modality=ct", "Modality"),
        ("StudyInstanceUID=1.2.*", "StudyInstanceUID"),
        ("InstanceNumber=one", "InstanceNumber"),
        ("PatientAge=18 years", "PatientAge"),
        ("PatientID=a\tb", "PatientID"),
        ("BeamSequence[0].Modality=ct", "Modality"),
    ],
)
def test_what_is_illegal_is_doubted_by_name(key: str, keyword: str) -> None:
    lines = doubts(parse([key]))
    assert len(lines) == 1
    assert lines[0].startswith(f"{keyword} has a value")


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("Receiver", "SOME_AET", "SOME_AET"),
        ("PatientAge", "14", "14"),
        ("QualityControlSubject", "ASD123", "ASD123"),
        ("PatientWeight", "14.7", "14.7"),
        ("BeamNumber", "46", "46"),
        ("ExtendedCodeMeaning", "Another long string", "Another long string"),
        ("LongCodeValue", "So many characters", "So many characters"),
        ("SOPClassUID", "1.2.3.4.5.6", "1.2.3.4.5.6"),
        ("CodingSchemeURL", "https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("SelectorSSValue", "-13", -13),
        ("SimpleFrameList", "14", 14),
        ("RealWorldValueLUTData", "0.25", 0.25),
    ],
)
def test_a_value_has_the_type_of_its_vr(keyword: str, value: str, expected: Any) -> None:
    (attribute,) = parse([f"{keyword}={value}"]).values()
    assert attribute.values == (expected,)
    (empty,) = parse([f"{keyword}="]).values()
    assert empty.values == ()

"""The information models of queries and retrievals, with their SOP classes, levels and unique keys (PS3.4 Annex C and others)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, TypeAlias

from dimse import tags, uids
from dimse.support.values import value

Operation: TypeAlias = Literal["find", "get", "move"]

LEVEL = 0x00080052
"""The tag of Query/Retrieve Level."""

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058
"""The tag of the list in the final response to a C-GET or C-MOVE (PS3.4 C.4.2.1.4.2)."""

UNIQUE_KEYS = {
    "PATIENT": 0x00100020,  # Patient ID
    "STUDY": 0x0020000D,  # Study Instance UID
    "SERIES": 0x0020000E,  # Series Instance UID
    "IMAGE": 0x00080018,  # SOP Instance UID
}
"""The tag of the unique key of each level (PS3.4 C.6)."""


KEYS = {
    "PATIENT": "PatientName IssuerOfPatientID PatientBirthDate PatientBirthTime PatientSex OtherPatientIDs OtherPatientIDsSequence"
    " OtherPatientNames EthnicGroup PatientComments NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries"
    " NumberOfPatientRelatedInstances",
    "STUDY": "StudyDate StudyTime AccessionNumber StudyID StudyDescription ReferringPhysicianName ModalitiesInStudy"
    " SOPClassesInStudy NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances IssuerOfAccessionNumberSequence"
    " ProcedureCodeSequence PatientAge PatientSize PatientWeight PerformingPhysicianName NameOfPhysiciansReadingStudy"
    " AdmittingDiagnosesDescription Occupation AdditionalPatientHistory TimezoneOffsetFromUTC",
    "SERIES": "Modality SeriesNumber SeriesDescription SeriesDate SeriesTime BodyPartExamined Laterality StationName"
    " InstitutionName InstitutionalDepartmentName Manufacturer ManufacturerModelName ProtocolName OperatorsName"
    " PerformedProcedureStepStartDate PerformedProcedureStepStartTime PerformedProcedureStepID"
    " RequestAttributesSequence NumberOfSeriesRelatedInstances",
    "IMAGE": "InstanceNumber SOPClassUID AvailableTransferSyntaxUID ContentDate ContentTime AcquisitionDate AcquisitionTime"
    " NumberOfFrames Rows Columns BitsAllocated ImageType ConceptNameCodeSequence CompletionFlag VerificationFlag",
}
"""The keywords of the keys of each level besides the unique ones (PS3.4 C.6.1.1), the required keys first."""


@value
class InformationModel:
    """An information model.

    Attributes:
        name: Its name, as the tools and `association.find` take it.
        find: The SOP class UID of its C-FIND; empty if it has none.
        get: The SOP class UID of its C-GET; empty if it has none.
        move: The SOP class UID of its C-MOVE; empty if it has none.
        levels: The values of Query/Retrieve Level, from the top; empty if its identifiers have none.
        default_level: The level of keys that name none and are of no level themselves.
        section: The section of PS3.4 that defines it.
        features: The features that a C-FIND may negotiate, in the order of their bytes; see `dimse.services.features`.
        retrieve_features: The features that a C-GET or C-MOVE may negotiate, likewise.
        find_service: The service of `dimse.message.status.SERVICES` that has the statuses of its C-FIND.
    """

    name: str
    find: str = ""
    get: str = ""
    move: str = ""
    levels: tuple[str, ...] = ()
    default_level: str = ""
    section: str = ""
    features: tuple[str, ...] = ()
    retrieve_features: tuple[str, ...] = ()
    find_service: str = "find"

    def sop_class(self, operation: Operation) -> str:
        """Return the SOP class UID of an operation; empty if the model does not have it."""
        uid: str = getattr(self, operation)
        return uid

    def features_of(self, operation: Operation) -> tuple[str, ...]:
        """Return the features that an operation may negotiate, in the order of their bytes."""
        return self.features if operation == "find" else self.retrieve_features

    def check_level(self, level: str) -> str:
        """Return a level as the Standard writes it. Case and padding do not count, and "instance" is IMAGE.

        Raises:
            ValueError: The model does not have the level.
        """
        written = level.strip(" \0\t\r\n").upper()
        written = "IMAGE" if written == "INSTANCE" else written
        if written not in self.levels:
            some = ", ".join(self.levels) or "none"
            raise ValueError(f"{level!r} is not a level of the information model {self.name!r}, which has {some}")
        return written

    @property
    def unique_key(self) -> int | None:
        """The tag of the unique key of a model without levels; None where it has levels or no such key."""
        return UNIQUE_KEYS["IMAGE"] if not self.levels and self.move else None

    @property
    def sop_classes(self) -> tuple[str, ...]:
        """The SOP class UIDs of the model."""
        return tuple(filter(None, (self.find, self.get, self.move)))


_ALL_LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
# PS3.4 Table C.5.1-1
_QUERY_FEATURES = (
    "relational",
    "date_time",
    "fuzzy_names",
    "timezone",
    "enhanced_conversion",
    "empty_values",
    "multiple_values",
)
# PS3.4 C.5.2.1 and C.5.3.1
_RETRIEVE_FEATURES = ("relational", "enhanced_conversion")
# The root of the UIDs of most models.
_ROOT = "1.2.840.10008.5.1.4"


def _of_instances(name: str, root: str, section: str) -> InformationModel:
    """Return a model without levels, whose three SOP classes are 2, 3 and 4 under one root."""
    return InformationModel(name, f"{root}.2", f"{root}.4", f"{root}.3", section=section)


MODELS = (
    InformationModel(
        "patient",
        f"{_ROOT}.1.2.1.1",
        f"{_ROOT}.1.2.1.3",
        f"{_ROOT}.1.2.1.2",
        _ALL_LEVELS,
        "PATIENT",
        "C.6.1",
        _QUERY_FEATURES,
        _RETRIEVE_FEATURES,
    ),
    InformationModel(
        "study",
        f"{_ROOT}.1.2.2.1",
        f"{_ROOT}.1.2.2.3",
        f"{_ROOT}.1.2.2.2",
        _ALL_LEVELS[1:],
        "STUDY",
        "C.6.2",
        _QUERY_FEATURES,
        _RETRIEVE_FEATURES,
    ),
    InformationModel(
        "patient-study-only",
        f"{_ROOT}.1.2.3.1",
        f"{_ROOT}.1.2.3.3",
        f"{_ROOT}.1.2.3.2",
        _ALL_LEVELS[:2],
        "STUDY",
        "C.6.3",
        _QUERY_FEATURES,
        _RETRIEVE_FEATURES,
    ),
    InformationModel(
        "composite-instance",
        get=f"{_ROOT}.1.2.4.3",
        move=f"{_ROOT}.1.2.4.2",
        levels=_ALL_LEVELS[3:],
        default_level="IMAGE",
        section="Y.6",
    ),
    InformationModel(
        "without-bulk-data", get=f"{_ROOT}.1.2.5.3", levels=_ALL_LEVELS[3:], default_level="IMAGE", section="Z.6"
    ),
    # PS3.4 K.5: the first byte stands for what every worklist query does.
    InformationModel(
        "worklist",
        f"{_ROOT}.31",
        section="K",
        features=("relational", "date_time", "fuzzy_names", "timezone"),
        find_service="modality worklist",
    ),
    InformationModel("ups", f"{_ROOT}.34.6.3", section="CC.2.8"),
    InformationModel("ups-watch", f"{_ROOT}.34.6.2", section="CC.2.8"),
    InformationModel("ups-query", f"{_ROOT}.34.6.5", section="CC.2.8"),
    _of_instances("hanging-protocol", f"{_ROOT}.38", "U"),
    _of_instances("color-palette", f"{_ROOT}.39", "X"),
    _of_instances("implant-template", f"{_ROOT}.43", "BB"),
    _of_instances("implant-assembly-template", f"{_ROOT}.44", "BB"),
    _of_instances("implant-template-group", f"{_ROOT}.45", "BB"),
    InformationModel("defined-procedure-protocol", f"{_ROOT}.20.1", f"{_ROOT}.20.3", f"{_ROOT}.20.2", section="HH"),
    InformationModel(
        "protocol-approval", f"{_ROOT}.1.1.200.4", f"{_ROOT}.1.1.200.6", f"{_ROOT}.1.1.200.5", section="II"
    ),
    InformationModel("inventory", f"{_ROOT}.1.1.201.2", f"{_ROOT}.1.1.201.4", f"{_ROOT}.1.1.201.3", section="JJ"),
    InformationModel("relevant-patient", f"{_ROOT}.37.1", section="Q"),
    InformationModel("relevant-patient-breast", f"{_ROOT}.37.2", section="Q"),
    InformationModel("relevant-patient-cardiac", f"{_ROOT}.37.3", section="Q"),
    InformationModel("product-characteristics", f"{_ROOT}.41", section="V"),
    InformationModel("substance-approval", f"{_ROOT}.42", section="V"),
)
"""Every information model that `association.find`, `get` and `move` know."""


@cache
def _by_name() -> dict[str, InformationModel]:
    return {model.name: model for model in MODELS}


@cache
def _by_sop_class() -> dict[str, InformationModel]:
    return {uid: model for model in MODELS for uid in model.sop_classes}


def find_model(name: str, operation: Operation) -> InformationModel:
    """Return the model of a name, of a SOP class UID or of its keyword in PS3.6, for one operation.

    Raises:
        ValueError: There is no such model, or it does not have the operation.
    """
    model = _by_name().get(name) or _by_sop_class().get(name)
    if model is None and not name.islower():
        model = _by_sop_class().get(uids.by_keyword().get(name, ""))
    if model is None:
        raise ValueError(f"{name!r} is not an information model; there are {', '.join(names(operation))}")
    if not model.sop_class(operation):
        raise ValueError(f"the information model {model.name!r} has no C-{operation.upper()}")
    return model


def model_of(sop_class_uid: str) -> InformationModel | None:
    """Return the model that a SOP class belongs to; None if it is of none."""
    return _by_sop_class().get(sop_class_uid)


def names(operation: Operation) -> Iterator[str]:
    """Yield the names of the models that have an operation."""
    return (model.name for model in MODELS if model.sop_class(operation))


@cache
def levels_of_keys() -> dict[int, str]:
    """Return the level of each key that is not unique, by its tag; the mapping must not be changed."""
    found: dict[int, str] = {}
    for level, keywords in KEYS.items():
        for keyword in keywords.split():
            tag = tags.find(keyword)
            assert tag is not None
            found[tag] = level
    return found


def infer_level(model: InformationModel, keys: Iterable[int]) -> str:
    """Return the level that is meant by keys which name none: that of the lowest unique key, else of the lowest key.

    Args:
        model: The information model, one that has levels.
        keys: The tags of the keys.
    """
    given = frozenset(keys)
    for level in reversed(model.levels):
        if UNIQUE_KEYS[level] in given:
            return level
    found = {levels_of_keys().get(tag) for tag in given}
    return next((level for level in reversed(model.levels) if level in found), model.default_level)

"""Layouts of a store's folder: templates such as `{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter

from dimse.archive.names import modality_prefix, safe_component
from dimse.instances.received import ReceivedInstance

DEFAULT = "{Modality prefix}.{SOPInstanceUID}"
OF_AN_ARCHIVE = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
"""The default layout of an archive: no folder has a million entries, and a study is one folder."""
UNKNOWN = "unknown"
"""The name for a value that is missing or empty."""

# Characters of a component. File systems allow 255 bytes, and the number of a copy is added.
_LONGEST = 200

_INSTANCE = "SOPInstanceUID"

_STATED: dict[str, Callable[[ReceivedInstance], str]] = {
    "Modality prefix": lambda instance: modality_prefix(instance.sop_class_uid),
    "SOPClassUID": lambda instance: instance.sop_class_uid,
    _INSTANCE: lambda instance: instance.sop_instance_uid,
    "CallingAETitle": lambda instance: instance.calling_ae_title,
    "CalledAETitle": lambda instance: instance.called_ae_title,
}
ELEMENTS = {
    "StudyDate": 0x00080020,
    "SeriesDate": 0x00080021,
    "StudyTime": 0x00080030,
    "SeriesTime": 0x00080031,
    "AccessionNumber": 0x00080050,
    "Modality": 0x00080060,
    "PatientName": 0x00100010,
    "PatientID": 0x00100020,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
    "StudyID": 0x00200010,
    "SeriesNumber": 0x00200011,
    "AcquisitionNumber": 0x00200012,
    "InstanceNumber": 0x00200013,
}
"""The tags of the fields that are values of the data set."""

IDENTIFYING = frozenset(
    ("AccessionNumber", "PatientID", "PatientName", "SeriesDate", "SeriesTime", "StudyDate", "StudyID", "StudyTime")
)
"""The fields that may identify a patient, and must not be logged."""

FIELDS = (*_STATED, *ELEMENTS)
"""The fields: keywords of PS3.6, the AE titles of the association, and letters for the SOP class (`CT`)."""


class Layout:
    """A template for the paths of instances, relative to the folder of their store.

    Components are separated by `/`. In each, a field in braces is replaced by its value, made safe by
    `dimse.archive.names.safe_component`. Values that are not plain words, such as a PatientName with its `^`, become `x-` and a
    hash. A missing value becomes `unknown`.

    Attributes:
        template: The template as given.
        tags: The tags of the elements of the data set that it needs.
        identifying: True if its paths may identify a patient.

    Args:
        template: Fields, and besides them ASCII letters, digits, `.`, `-` and `_`.

    Raises:
        ValueError: The template names an unknown field, has no SOPInstanceUID in its last component, or could lead out of the
            folder.
    """

    def __init__(self, template: str = DEFAULT) -> None:
        self.template = template
        self._components = tuple(_parse(component, template) for component in template.split("/"))
        fields = {field for component in self._components for _, field in component if field}
        if not any(field == _INSTANCE for _, field in self._components[-1]):
            raise ValueError(f"the layout {template!r} has no {{{_INSTANCE}}} in its last component")
        self.identifying = not fields.isdisjoint(IDENTIFYING)
        self.tags = frozenset(ELEMENTS[field] for field in fields if field in ELEMENTS)

    def __str__(self) -> str:
        return self.template

    def path(self, instance: ReceivedInstance, elements: Mapping[int, str]) -> tuple[str, ...]:
        """Return the components of the path for an instance: folders, then the name of its file.

        Args:
            instance: The instance, as its sender states it.
            elements: Values of the data set, by tag.
        """
        path = []
        for component in self._components:
            name = ""
            for text, field in component:
                name += text
                if field:
                    stated = _STATED.get(field)
                    said = stated(instance) if stated else elements.get(ELEMENTS[field])
                    name += safe_component(said or UNKNOWN)
            path.append(safe_component(name, _LONGEST))
        return tuple(path)

    def shown(self, instance: ReceivedInstance) -> str:
        """Return the path for a log, with the names of fields in the place of values of the data set."""

        def value(field: str) -> str:
            stated = _STATED.get(field)
            return safe_component(stated(instance) or UNKNOWN) if stated else f"{{{field}}}"

        return "/".join(
            "".join(text + (value(field) if field else "") for text, field in component)
            for component in self._components
        )


def _parse(component: str, template: str) -> list[tuple[str, str]]:
    """Split a component into its fields, each with the text before it; the last text has no field."""
    try:
        parts = list(Formatter().parse(component))
    except ValueError as error:
        raise ValueError(f"the layout {template!r} cannot be read: {error}") from None
    if not parts:
        raise ValueError(f"the layout {template!r} has an empty component")
    for text, field, form, conversion in parts:
        if field is not None and (field not in FIELDS or form or conversion):
            raise ValueError(f"the layout {template!r} names {field!r}; there are {', '.join(FIELDS)}")
        if safe_component(f"x{text}", 1 + len(text)) != f"x{text}":
            raise ValueError(f"the layout {template!r} has {text!r}: letters, digits, '.', '-' and '_' may stand there")
    if parts[0][0].startswith((".", "-")):
        raise ValueError(f"the layout {template!r} has a component that begins with a dot or a hyphen")
    return [(text, field or "") for text, field, _, _ in parts]

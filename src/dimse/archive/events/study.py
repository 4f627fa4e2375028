"""Study: the instances that came one after the other until their study went quiet."""

from __future__ import annotations

import os

from dimse.archive.stored import Stored
from dimse.support.values import replace, value


@value
class Study:
    """The instances of a study that came one after the other until it went quiet.

    Attributes:
        study_instance_uid: (0020,000D), as the instances have it. Like the Patient ID it is what a peer says: data.
        patient_id: (0010,0020) of the first instance that has one.
        folder: The innermost folder that holds them all, absolute.
        instances: Files that were added.
        duplicates: Instances that came again and were stored already; no file was added for them.
        size: Bytes of the data sets of the files that were added.
        first_received: When the first was kept, in seconds since 1970-01-01 UTC.
        last_received: When the last was.
        event_id: The name of this event, which all attempts to announce it have in common; 32 hexadecimal digits.
    """

    study_instance_uid: str
    patient_id: str
    folder: str
    instances: int
    duplicates: int
    size: int
    first_received: float
    last_received: float
    event_id: str = ""

    @classmethod
    def of(cls, stored: Stored, event_id: str) -> Study:
        """Return a study that has one instance."""
        added = not stored.duplicate
        return cls(
            stored.study_instance_uid,
            stored.patient_id,
            os.path.dirname(stored.path),
            int(added),
            int(stored.duplicate),
            stored.size if added else 0,
            stored.received,
            stored.received,
            event_id,
        )

    def joined_by(self, other: Study) -> Study:
        """Return this study with the instances of another part of it, which came later."""
        return replace(
            self,
            patient_id=self.patient_id or other.patient_id,
            folder=os.path.commonpath((self.folder, other.folder)),
            instances=self.instances + other.instances,
            duplicates=self.duplicates + other.duplicates,
            size=self.size + other.size,
            first_received=min(self.first_received, other.first_received),
            last_received=max(self.last_received, other.last_received),
        )

    def continued_by(self, later: Study) -> Study:
        """Return the study of a later event with the instances of this one, which could not be announced."""
        return replace(self.joined_by(later), event_id=later.event_id)


def new_event_id() -> str:
    """Return a name for an event that no other event has."""
    return os.urandom(16).hex()

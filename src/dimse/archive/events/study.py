"""Study: the instances that arrived until their study became quiet."""

from __future__ import annotations

import os

from dimse.archive.stored import Stored
from dimse.support.values import replace, value


@value
class Study:
    """A study: its instances that arrived until it became quiet.

    Attributes:
        study_instance_uid: (0020,000D) of the instances. Like the Patient ID it comes from a peer, and is data.
        patient_id: (0010,0020) of the first instance that has one.
        folder: The absolute path of the innermost folder that holds them all.
        instances: The number of files that were added.
        duplicates: The number of instances that were already stored, so that no file was added.
        size: The bytes of the data sets of the files that were added.
        first_received: The time when the first was kept, in seconds since 1970-01-01 UTC.
        last_received: The time when the last was kept.
        event_id: The ID of the event, the same for all attempts to announce it; 32 hexadecimal digits.
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
        """Return a study with one instance."""
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

    def merged_with(self, other: Study) -> Study:
        """Return this study with the instances of another part, which arrived later."""
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
        """Return the study of a later event, with the instances of this one, which could not be announced."""
        return replace(self.merged_with(later), event_id=later.event_id)


def new_event_id() -> str:
    """Return a unique ID for an event."""
    return os.urandom(16).hex()

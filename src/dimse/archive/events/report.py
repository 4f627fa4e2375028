"""Report: a file that gets a line of JSON for each instance."""

from __future__ import annotations

from dimse.archive.events.document import document, encoded
from dimse.archive.stored import Stored
from dimse.logs.line_file import LineFile


class Report(LineFile):
    """A file that gets a line of JSON, the `document`, for each instance: `FileStore("incoming", stored=Report("received.jsonl"))`.

    A line is appended with one write, so lines of several processes do not mix. After the file was renamed or removed, for example
    by a log rotation, the next line begins a new file. Any number of threads may use it.

    Args:
        path: The file; if it does not exist, it is created for its owner only (0600).

    Raises:
        OSError: The file cannot be opened; on a call: the line cannot be written.
    """

    def __call__(self, stored: Stored) -> None:
        """Append the line of an instance."""
        try:
            self.append(encoded(document(stored)))
        except OSError as error:
            if error.strerror is None:
                raise
            raise OSError(error.errno, f"the report cannot be written: {error.strerror}", self.path) from error

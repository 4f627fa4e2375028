"""storescp --commit: storage commitment for the instances in the folder, by an index of them (PS3.4 Annex J)."""

from __future__ import annotations

import argparse
import logging
import os

import dimse
from dimse.archive.stored import NotAcknowledged, Stored
from dimse.logs.notices import notice
from dimse.support.closing import Closing
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.tools.options import timeouts

LOGGER = logging.getLogger("dimse.archive")

INDEX = ".index.sqlite"
"""The name of the index in the folder of the files."""


class Committing(Closing):
    """The index of the folder, and the Storage Commitment SCP over it; each process has its own.

    Args:
        options: The parsed options of storescp.

    Attributes:
        scp: The Storage Commitment SCP.

    Raises:
        DatabaseError: The index cannot be used.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        from dimse.archive.index import Index
        from dimse.sending.commitment_scp import commitment_scp

        folder = os.path.abspath(options.output_directory)
        self._index = Index(os.path.join(folder, INDEX), folder, on_duplicate=options.on_duplicate)
        waits = timeouts(options)
        remotes = {
            title: dimse.Remote(host, port, called_ae_title=title, timeouts=waits)
            for title, host, port in options.report_to
        }
        self.scp = commitment_scp(self._index, remotes.get)

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def keep(self, stored: Stored) -> None:
        """Add an instance that is safely in the folder to the index.

        Raises:
            NotAcknowledged: It is not in the index, so the peer has to send it again.
        """
        from dimse.archive.index.reading import Unindexable, row_of_file

        try:
            row = row_of_file(self._index.folder, stored.relative_path, digest=False)
            added = self._index.commit(replace(row, was_there=stored.duplicate))
        except Unindexable as error:
            # It is acknowledged all the same: a peer that asks for commitment is told the truth.
            uid, host = one_line(stored.sop_instance_uid, 64), stored.peer_address[0]
            notice("no commitment", host, "no commitment is possible for %s: %s", uid, error)
            return
        except (OSError, dimse.DimseError) as error:
            uid, why = one_line(stored.sop_instance_uid, 64), one_line(str(error))
            LOGGER.error("%s is not acknowledged: it cannot be added to the index: %s", uid, why)
            raise NotAcknowledged("the index cannot be written") from error
        if added.what == "rejected":
            raise NotAcknowledged("another data set has its SOP Instance UID")

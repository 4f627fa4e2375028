"""storescp --commit: storage commitment for the instances in the folder, by an index of them (PS3.4 Annex J)."""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import dimse
from dimse.archive.stored import NotAcknowledged, Stored
from dimse.logs.notices import notice
from dimse.settings import validate_ae_title
from dimse.support.closing import Closing
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.tools.options import flag, repeatable, timeouts, validated

LOGGER = logging.getLogger("dimse.archive")

INDEX = ".index.sqlite"
"""The name of the index in the folder of the files."""


def _address(text: str) -> tuple[str, str, int]:
    """Return the AE title, host and port of `AET=HOST:PORT`; an IPv6 address is in brackets.

    Raises:
        ValueError: The text is something else.
    """
    title, _, address = text.partition("=")
    found = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+)):([0-9]{1,5})", address, re.ASCII)
    if not found or not 1 <= int(found[3]) <= 65535:
        raise ValueError(f"{text!r} is not AET=HOST:PORT")
    return validate_ae_title(title), found[1] or found[2], int(found[3])


OPTIONS = (
    flag("--commit", "answer requests for storage commitment too, by an index of the folder (needs dimse[archive])"),
    repeatable(
        "--report-to AET=HOST:PORT",
        validated(_address),
        "where this AE title listens for commitment reports that it does not take on the association of its request",
    ),
)


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


@contextmanager
def committing(options: argparse.Namespace, committers: list[Committing]) -> Iterator[Committing | None]:
    """Add the index of this process to the committers while the body runs, if the user asked for it."""
    if not options.commit:
        yield None
        return
    with Committing(options) as one, one.scp:
        committers.append(one)
        yield one

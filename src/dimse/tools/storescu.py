"""storescu: send DICOM files (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import dimse
from dimse import settings
from dimse.instances import InstanceFile
from dimse.message.command import HIGH, LOW, MEDIUM
from dimse.text import one_line
from dimse.tools import common
from dimse.tools.echoscu import part
from dimse.tools.files import Finder

PRIORITIES = {"low": LOW, "medium": MEDIUM, "high": HIGH}
MOST_UNSENT = 3  # files that are named when an association ends before they were sent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    parser = common.Parser(
        "storescu",
        "Send DICOM files: each in its own transfer syntax where the peer accepts it, and reported by the status it got.",
        (
            ("storescu 127.0.0.1 11112 image.dcm", "silent, exit status 0: it is stored"),
            (
                "storescu -v -r -aec ARCHIVE pacs.example.org 104 study/",
                "every file below study, and what becomes of each",
            ),
            ("storescu -cx 127.0.0.1 11112 *.dcm", "as they are, or not at all"),
        ),
    )
    common.add_peer(parser)
    parser.add_argument("path", nargs="+", help="files, and folders, which are read one level deep")
    common.add_logging(parser)
    common.add_network(parser, "STORESCU")
    syntaxes = common.add_syntaxes(parser)
    syntaxes.add_argument(
        "-cx",
        "--required-contexts",
        action="store_true",
        help="propose exactly what the files are, and re-encode nothing",
    )
    group = parser.add_argument_group("files")
    group.add_argument("-r", "--recurse", action="store_true", help="read folders all the way down")
    group.add_argument(
        "--transcode",
        choices=("never", "lossless", "always"),
        default="lossless",
        help="re-encode a file whose transfer syntax is refused: never, if nothing is lost (%(default)s), or always",
    )
    group.add_argument("--priority", choices=PRIORITIES, default="low", help="of the C-STORE requests (%(default)s)")
    group.add_argument(
        "--repeat", metavar="N", type=common.number(1, 1e9), default=1, help="send each file N times (%(default)s)"
    )
    options = parser.read(arguments)
    logger = common.start_logging(parser, options)
    sender = Sender(options, logger)
    return common.run(sender.send, logger, sender.interrupted)


@dataclass
class Sender:
    """Sends what the user asked for, over as many associations as its contexts need.

    Attributes:
        stored: Requests that were answered with success or a warning.
        fell_short: Was there any failure that is exit status 3?
        associated: Was there ever a usable association?
    """

    options: argparse.Namespace
    logger: logging.Logger
    stored: int = 0
    fell_short: bool = False
    associated: bool = False
    refused: bool = False
    _association: dimse.Association | None = field(default=None, repr=False)

    def send(self) -> int:
        """Find the files, send them, say what did not go; returns the exit status."""
        finder = Finder(self.logger, recurse=self.options.recurse)
        files = finder.find(self.options.path)
        self.fell_short = finder.faults > 0 or not files
        if not files:
            self.logger.warning("No suitable DICOM files found")
            return common.SHORTFALL
        for contexts, batch in spread(self._contexts(files), files):
            if batch:
                self._send_over_one(contexts, batch)
        if self.refused and not self.associated:
            return common.NO_ASSOCIATION
        return common.SHORTFALL if self.fell_short or self.refused else common.SUCCESS

    def interrupted(self) -> None:
        """Ctrl-C: abort, and say how far it came."""
        if self._association is not None:
            self._association.abort()
        self.logger.error("Interrupted: %d stored, the rest was not sent or is unknown", self.stored)

    def _contexts(self, files: Sequence[InstanceFile]) -> list[settings.ProposedContext]:
        """What is proposed for these files, those of one SOP class together."""
        classes: dict[str, dict[str, None]] = {}
        for file in files:
            classes.setdefault(file.sop_class_uid, {})[file.transfer_syntax_uid] = None
        syntaxes = common.chosen_syntaxes(self.options)
        if syntaxes:
            return [settings.ProposedContext(sop_class, syntaxes) for sop_class in classes]
        if self.options.required_contexts:
            return [settings.ProposedContext(sop_class, (own,)) for sop_class, each in classes.items() for own in each]
        return list(dimse.contexts_for(files))

    def _send_over_one(self, contexts: Sequence[settings.ProposedContext], files: Sequence[InstanceFile]) -> None:
        """One association, and the files that its contexts are for."""
        options = self.options
        try:
            self._association = association = common.associate(options, contexts)
        except dimse.DimseError as error:
            self.refused = True
            common.say(self.logger, common.explain_request(error))
            common.say_traceback(self.logger, error)
            if self.associated:
                self._say_unsent([file.path for file in files])
            return
        self.associated = True
        requests = (file for file in files for _ in range(options.repeat))
        answered = 0
        try:
            for outcome in association.store_many(
                requests,
                priority=PRIORITIES[options.priority],
                transcode="never" if options.required_contexts else options.transcode,
            ):
                answered += 1
                self._take(outcome)
        except dimse.DimseError as error:
            self.fell_short = True
            common.say_traceback(self.logger, error)
            self._say_unsent([file.path for file in files[answered // options.repeat :]])
        else:
            part(association, options.abort, self.logger)

    def _take(self, outcome: dimse.Outcome) -> None:
        """Count one outcome, and say it if it is none that was hoped for."""
        path = one_line(outcome.path)
        match outcome:
            case dimse.Outcome(status=dimse.Status() as status) if status.is_success or status.is_warning:
                self.stored += 1
                if status.is_warning:
                    self.logger.warning("Stored with a warning: %s: %s: %s", path, status, status.meaning)
                return
            case dimse.Outcome(status=dimse.Status() as status):
                comment = f" ({one_line(status.comment)})" if status.comment else ""
                lines = [f"Store failed: {path}: {status}: {status.meaning}{comment}"]
            case dimse.Outcome(error=dimse.NoPresentationContext() as error):
                lines = [str(error), f"Store failed: {path}"]
            case dimse.Outcome(error=dimse.FileError() as error):
                lines = [f"Store failed: {path}: {one_line(error.reason)}"]
            case dimse.Outcome(error=dimse.DimseError() as error):
                lines = [*common.explain(error), f"Store failed: {path}: it is unknown whether the peer has it"]
            case _:
                raise AssertionError(outcome)
        self.fell_short = True
        common.say(self.logger, lines)

    def _say_unsent(self, paths: Sequence[str]) -> None:
        """Name some of the files that were not sent, the last one among them."""
        self.fell_short = True
        if len(paths) > MOST_UNSENT:
            self.logger.error("Not sent: %d files, from %s", len(paths), one_line(paths[0]))
            paths = paths[-1:]
        for path in dict.fromkeys(paths):
            self.logger.error("Not sent: %s", one_line(path))


def spread(
    contexts: Sequence[settings.ProposedContext], files: Sequence[InstanceFile]
) -> Iterator[tuple[list[settings.ProposedContext], list[InstanceFile]]]:
    """Spread contexts over associations of at most 128, each with the files that it is for.

    The contexts of a SOP class stay together, so that a file finds its fall-back where it finds its own transfer syntax.
    """
    proposals: list[list[settings.ProposedContext]] = [[]]
    for group in _groups(contexts):
        if len(proposals[-1]) + len(group) > settings.MOST_CONTEXTS:
            proposals.append([])
        proposals[-1] += group
    # Where a file goes: to the association that proposes its own transfer syntax, else to the first for its SOP class.
    homes: dict[tuple[str, str], int] = {}
    for number, proposal in enumerate(proposals):
        for context in proposal:
            for uid in ("", *context.transfer_syntaxes):
                homes.setdefault((context.abstract_syntax, uid), number)
    batches: list[list[InstanceFile]] = [[] for _ in proposals]
    for file in files:
        own, any_syntax = (file.sop_class_uid, file.transfer_syntax_uid), (file.sop_class_uid, "")
        batches[homes.get(own, homes[any_syntax])].append(file)
    return zip(proposals, batches, strict=True)


def _groups(contexts: Sequence[settings.ProposedContext]) -> Iterator[list[settings.ProposedContext]]:
    """The contexts of each SOP class; of one that has more than 128, parts that each end with its fall-back."""
    classes: dict[str, list[settings.ProposedContext]] = {}
    for context in contexts:
        classes.setdefault(context.abstract_syntax, []).append(context)
    for group in classes.values():
        if len(group) <= settings.MOST_CONTEXTS:
            yield group
            continue
        *own, fall_back = group
        for start in range(0, len(own), settings.MOST_CONTEXTS - 1):
            yield [*own[start : start + settings.MOST_CONTEXTS - 1], fall_back]

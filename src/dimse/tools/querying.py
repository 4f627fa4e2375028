"""The work of findscu: its association, its queries, and what it makes of the matches."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import dimse
from dimse import matching, settings, tags
from dimse.data_set.identifier import Identifier
from dimse.services.features import Features
from dimse.services.information_models import LEVEL, InformationModel
from dimse.services.query import MATCH_WITHOUT_OPTIONAL_KEYS
from dimse.support.text import counted, one_line
from dimse.tools import audit, query_options, requesting, running, wording
from dimse.tools.find_output import Files, JSONFile, Output, columns_of, log_identifier, unique_key_of
from dimse.tools.found import Found
from dimse.tools.interruption import Interruption

if TYPE_CHECKING:
    from dimse.blocking import Matches
    from dimse.tools.expanding import Expansion

# Out of Resources, and Matching reached response limit (PS3.4 Table C.4-1).
CUT_SHORT = (0xA700, 0xB001)
# Unique keys that are kept of a query that may be split later. A peer that sends more has no limit worth splitting for.
MOST_KEPT = 100_000
# Features without which a query means something else.
NEEDED_FEATURES = ("empty_values", "multiple_values")


def query(options: argparse.Namespace, features: Features, logger: logging.Logger) -> int:
    """Ask the peer, print its matches, and return the exit status."""
    model = query_options.model_of(options)
    try:
        identifiers = query_options.identifiers(options, logger)
        negotiation = features.negotiation(model)
        expansion: Expansion | None = None
        if options.expand:
            from dimse.tools.expanding import LEVELS, Expansion

            expansion = Expansion(model, LEVELS[options.expand], options.key_Modality)
            identifiers = [expansion.complete(each) for each in identifiers]
        output = Results(options, model, identifiers, logger)
    except query_options.UnusableKeys as error:
        wording.log_failure(logger, [str(error)])
        return running.NO_ASSOCIATION
    except (ValueError, OSError) as error:
        wording.log_failure(logger, [wording.reason_with_path(error)])
        return running.NO_ASSOCIATION
    syntaxes = requesting.chosen_syntaxes(options) or settings.DEFAULT_TRANSFER_SYNTAXES
    try:
        association = requesting.associate(options, [(model.find, syntaxes)], extended=negotiation)
    except dimse.DimseError as error:
        output.discard()
        wording.log_failure(logger, wording.explain_request(error, options), error)
        return running.NO_ASSOCIATION
    querying = _Querying(association, options, model, output, logger, expansion)
    interruption = querying.interruption
    try:
        with interruption.handled():
            status = querying.run(identifiers, features)
            requesting.end(association, options, logger)
    except dimse.DimseError as error:
        if not interruption.has_come():
            wording.log_failure(logger, wording.explain(error), error)
        status = running.SHORTFALL
    except BaseException:
        association.abort()
        output.discard()
        raise
    status = max(status, output.end())
    return interruption.status or status


class _Querying:
    """The queries over one association.

    Attributes:
        interruption: The handling of SIGINT and SIGTERM: the first one cancels the query, the second one aborts the association.
    """

    def __init__(
        self,
        association: dimse.Association,
        options: argparse.Namespace,
        model: InformationModel,
        output: Results,
        logger: logging.Logger,
        expansion: Expansion | None = None,
    ) -> None:
        self._expansion = expansion
        self._association, self._options, self._model = association, options, model
        self._output, self._logger = output, logger
        self._wants_cancel = False
        self._matches: Matches | None = None
        # Of the query under way, with all its parts: the number of matches before it, and that of its pending responses.
        self._before = self._responses = 0
        self.interruption = Interruption(self._interrupt)

    def _interrupt(self) -> bool:
        if self._wants_cancel:
            self._association.abort()
        self._wants_cancel = True
        if self._matches is not None:
            self._matches.cancel_soon()
        return True

    def run(self, identifiers: list[Identifier], features: Features) -> int:
        """Send each query as often as the user asked, and return the exit status."""
        status = running.SUCCESS
        for _ in range(self._options.repeat):
            for identifier in identifiers:
                if not self._wants_cancel:
                    ask = self._ask if self._expansion is None else self._ask_and_expand
                    status = max(status, ask(identifier, features))
        if self._options.fail_empty and not self._output.number:
            self._logger.error("Nothing matched")
            status = running.SHORTFALL
        return status

    def _ask(self, identifier: Identifier, features: Features) -> int:
        """Send one query, in parts where the peer cuts it short, and return the exit status that it deserves."""
        options, logger = self._options, self._logger
        matches = self._begin(identifier)
        accepted = matches.features
        refused = [name for name, flag in _flags(features) if flag and not getattr(accepted, name)]
        for name in refused:
            logger.warning("the peer did not accept the feature %s", name.replace("_", " "))
        if any(name in NEEDED_FEATURES for name in refused):
            logger.error("The query would mean something else: it is not sent")
            return running.SHORTFALL
        self._before, self._responses = self._output.number, 0
        self._output.keep_uids(unique_key_of(self._model, identifier) if options.split != "never" else None)
        if isinstance(options.split, int):
            return self._ask_in_parts(identifier, accepted, options.split)
        found = self._take(matches, identifier)
        if found.is_limited:
            return running.SUCCESS
        may_split = options.split == "auto" and not options.cancel and self._output.has_kept_all
        if found.is_cut and may_split:
            return self._ask_in_parts(identifier, accepted, None, found)
        return self.conclude(found)

    def _ask_and_expand(self, identifier: Identifier, features: Features) -> int:
        """Send a query for studies, and then those for what is below each, and return the exit status that they deserve."""
        expansion = self._expansion
        assert expansion is not None
        studies = self._output.collected = []
        status = self._ask(expansion.of_studies(identifier), features)
        self._output.end_collecting()
        for study in studies:
            status = max(status, self._expand(expansion, identifier, study, expansion.levels))
        return status

    def _expand(self, expansion: Expansion, identifier: Identifier, above: Identifier, levels: tuple[str, ...]) -> int:
        """Hand on what is below a match, level by level; a study without anything below it is handed on itself."""
        from dimse.tools.expanding import merged

        if self._wants_cancel:
            return running.SUCCESS
        level, rest = levels[0], levels[1:]
        keys = expansion.below(identifier, above, level)
        below: list[Identifier] = []
        status = self.conclude(self._take(self._begin(keys), keys, below.append))
        for match in below:
            row = merged(above, match)
            if rest:
                status = max(status, self._expand(expansion, identifier, row, rest))
            else:
                self._output.add(row, keys)
        if not below and not expansion.selects(identifier):
            self._output.add(above, keys)
        return status

    def _ask_in_parts(
        self, identifier: Identifier, accepted: Features, days: int | None, found: Found | None = None
    ) -> int:
        """Send one query in parts, and return the exit status that it deserves.

        Args:
            identifier: The query.
            accepted: The features that the peer has accepted.
            days: The number of days that each part has at first; None begins with the whole query.
            found: The end of the query as a whole, if it was sent and cut short.
        """
        from dimse.tools.query_parts import QueryInParts

        parts = QueryInParts(self.find, self.conclude, identifier, accepted, days, self._logger)
        if parts.reason:
            self._logger.error("The query cannot be split: %s", parts.reason)
            return running.SHORTFALL if found is None else self.conclude(found)
        if found is not None:
            self._logger.warning("The peer cut the result short: the query is sent in parts")
        self._output.is_split = True
        return parts.run()

    def find(self, identifier: Identifier) -> Found:
        """Send one C-FIND, and hand on its matches."""
        return self._take(self._begin(identifier), identifier)

    def _begin(self, identifier: Identifier) -> Matches:
        """Return the matches of a C-FIND, which goes out when the first is asked for."""
        options = self._options
        return self._association.find(
            identifier,
            model=self._model.name,
            level="",
            priority=requesting.PRIORITIES[options.priority],
            charset=options.charset,
            assume_charset=options.assume_charset,
            most=options.max_responses,
            total_timeout=options.find_timeout_total,
        )

    def _take(
        self, matches: Matches, identifier: Identifier, below: Callable[[Identifier], object] | None = None
    ) -> Found:
        """Hand on the matches of a C-FIND, and return how it ended.

        Args:
            matches: The matches.
            identifier: The keys.
            below: Called with each match instead, if it is below one that was handed on.
        """
        options, logger = self._options, self._logger
        log_identifier(logger, "Request", identifier)
        if options.trail is not None:
            audit.queried(options.trail, self._association, self._model.find, identifier, options.charset)
        checks = Checks(identifier, matches.features, logger)
        number, is_limited = 0, False
        failure: dimse.StatusError | None = None
        self._matches = matches
        with matches:
            try:
                for match in matches:
                    number += 1
                    self._responses += 1
                    response = f"Find SCP Response: {number} - 0x{match.status:04X} (Pending)"
                    log_identifier(logger, "Response", match.identifier, [response])
                    if checks.fits(match) or not options.strict:
                        if below is not None:
                            below(match.identifier)
                            continue
                        self._output.add(match.identifier, identifier)
                    if options.limit is not None and self._output.number - self._before >= options.limit:
                        is_limited = True
                        break
                    if self._responses == options.cancel or self._wants_cancel:
                        matches.cancel()
            except dimse.StatusError as error:
                failure = error
        if number:
            checks.log_missing()
        if is_limited:
            taken = counted(self._output.number - self._before, "match", "matches")
            logger.info("Find SCP Result: %s taken, and the rest cancelled", taken)
        status = matches.status
        is_cut = status in CUT_SHORT or (options.peer_limit is not None and number >= options.peer_limit)
        is_cancelled = self._wants_cancel or (options.cancel is not None and self._responses >= options.cancel)
        return Found(status, matches.offending_elements, failure, is_limited, is_cancelled, is_cut and not is_limited)

    def conclude(self, found: Found) -> int:
        """Log the final status, and return the exit status that it deserves."""
        logger, status = self._logger, found.status
        assert status is not None
        logger.info("Find SCP Result: 0x%04X (%s)", status, status.category)
        if found.failure is None and not status.is_warning:
            if found.is_cut:
                logger.error("The peer has sent as many matches as it sends at most (--peer-limit): there may be more")
            return running.SHORTFALL if found.is_cut else running.SUCCESS
        logger.error("%s", wording.explain_status(status))
        if found.offending:
            logger.error("Offending elements: %s", ", ".join(map(tags.label, found.offending)))
        return running.SHORTFALL


def _flags(features: Features) -> list[tuple[str, bool]]:
    from dimse.support.values import fields

    return [(name, getattr(features, name)) for name in fields(Features)]


class Checks:
    """The checks of what a peer claims to match against the keys. Each finding is logged once a query.

    Args:
        identifier: The keys.
        features: The features that the peer accepted.
        logger: The logger of the tool.
    """

    def __init__(self, identifier: Identifier, features: Features, logger: logging.Logger) -> None:
        self._logger = logger
        self._unmatched: set[int] = set()
        self._returned: set[int] = set()
        self._asked = identifier.attributes.keys() - {LEVEL, tags.SPECIFIC_CHARACTER_SET}
        self._has_unsupported = False
        rules = matching.Rules(
            date_time=features.date_time,
            fuzzy=features.fuzzy_names,
            empty_values=features.empty_values,
            multiple_values=features.multiple_values,
        )
        self._query: matching.Query | None = None
        try:
            self._query = matching.prepare(identifier.attributes, rules)
        except matching.UnfitKey as error:
            logger.warning("%s: what the peer sends is not checked", one_line(str(error)))

    def fits(self, match: dimse.Match) -> bool:
        """Return whether a match contradicts no key, and warn of the first that does."""
        attributes = match.identifier.attributes
        self._returned |= self._asked & attributes.keys()
        if match.status == MATCH_WITHOUT_OPTIONAL_KEYS and not self._has_unsupported:
            self._has_unsupported = True
            self._logger.warning("the peer does not support every optional key")
        contradicted = self._query.contradicted(attributes) if self._query is not None else []
        for tag in contradicted:
            if tag not in self._unmatched:
                self._unmatched.add(tag)
                self._logger.warning("the peer does not match %s", tags.label(tag))
        return not contradicted

    def log_missing(self) -> None:
        """Log the keys that no match has returned."""
        for tag in sorted(self._asked - self._returned):
            self._logger.info("the peer did not return %s", tags.label(tag))


class Results:
    """The places where matches go: stdout, files, and a file of DICOM JSON.

    Attributes:
        number: The number of matches.
        collected: Takes the matches instead; None while there is nothing to collect.
        has_kept_all: True if the unique key of each match since `keep_uids` is known.
        is_split: True while the query is sent in parts: a match that was taken before is dropped.

    Raises:
        OSError: A file cannot be written.
        ValueError: The format does not go with the information model.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        model: InformationModel,
        identifiers: list[Identifier],
        logger: logging.Logger,
    ) -> None:
        self.number = 0
        self.collected: list[Identifier] | None = None
        self.is_split, self.has_kept_all = False, True
        self._kept: int | None = None
        self._uids: set[str] = set()
        self._model, self._logger, self._counts = model, logger, options.count
        self._fault = running.SUCCESS
        if options.format == "uid" and any(unique_key_of(model, each) is None for each in identifiers):
            raise ValueError(f"--format uid: the information model {model.name!r} has no unique key at this level")
        columns = options.columns or columns_of(identifiers)
        self._output = None if options.count else Output(options.format, columns, options.sort, logger)
        self._files = Files(options.output_directory, model.find, logger) if options.write else None
        self._json = JSONFile(options.extract_json) if options.extract_json else None
        if self._output is not None:
            self._output.begin()

    def keep_uids(self, unique_key: int | None) -> None:
        """Keep the unique keys of the matches from here on, because the query may be split; None keeps none."""
        self._kept, self.is_split, self.has_kept_all = unique_key, False, True
        self._uids.clear()

    def end_collecting(self) -> None:
        """Take matches again; those that were collected do not count."""
        self.number -= len(self.collected or ())
        self.collected = None
        self.keep_uids(None)

    def add(self, match: Identifier, keys: Identifier) -> None:
        """Take a match of a query with these keys, unless it was taken before and UIDs are kept."""
        if self._kept is not None:
            uid = match.text(self._kept)
            if self.is_split and uid in self._uids:
                return
            if self.is_split or len(self._uids) < MOST_KEPT:
                self._uids.add(uid)
            else:
                self.has_kept_all = False
        self.number += 1
        if self.collected is not None:
            self.collected.append(match)
            return
        if self._output is not None:
            self._output.unique_key = unique_key_of(self._model, keys)
            self._output.add(match)
        try:
            if self._files is not None:
                self._files.add(match)
            if self._json is not None:
                self._json.add(match)
        except (OSError, ValueError) as error:
            if not self._fault:
                wording.log_failure(
                    self._logger, [f"A match cannot be written: {wording.reason_with_path(error)}"], error
                )
            self._fault = running.SHORTFALL

    def end(self) -> int:
        """Complete the output, and return the exit status that it deserves."""
        if self._output is not None:
            self._output.end()
        else:
            sys.stdout.write(f"{self.number}\n")
        try:
            if self._json is not None:
                self._json.end()
        except OSError as error:
            wording.log_failure(
                self._logger, [f"The matches cannot be written: {wording.reason_with_path(error)}"], error
            )
            return running.SHORTFALL
        return self._fault

    def discard(self) -> None:
        """Remove what is not complete."""
        if self._json is not None:
            self._json.discard()

"""The second pass of getscu: instances that did not come are asked for once more, with contexts that fit their classes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterable, Iterator

import dimse
from dimse import settings
from dimse.data_set.identifier import Identifier
from dimse.message.status import Status
from dimse.retrieving.listing import Listed, image_identifiers, instances_of_studies
from dimse.services.information_models import UNIQUE_KEYS, InformationModel
from dimse.services.retrieve import SUB_OPERATIONS_COMPLETE_WITH_FAILURES, Retrieved
from dimse.support.text import one_line
from dimse.support.values import replace
from dimse.tools import requesting
from dimse.tools.retrieving import Arrivals, Ask, Retriever

Studies = dict[str, dict[str, Listed]]
"""Instances by SOP Instance UID, by Study Instance UID."""


class SecondPass:
    """The second pass of each retrieval of a run.

    It is for instances that the peer lists as failed, and for those that its C-FIND lists and that did not come.

    Args:
        options: The parsed options.
        model: The information model.
        arrivals: What was stored here.
        logger: The logger of the tool.
        asking: Returns the function that begins a retrieval over an association.
        handlers: The handlers that keep instances.
    """

    def __init__(
        self,
        options: argparse.Namespace,
        model: InformationModel,
        arrivals: Arrivals,
        logger: logging.Logger,
        asking: Callable[[dimse.Association], Ask],
        handlers: dimse.Handlers,
    ) -> None:
        self._options, self._model, self._arrivals, self._logger = options, model, arrivals, logger
        self._asking, self._handlers = asking, handlers

    def __call__(self, retriever: Retriever, identifier: Identifier, end: Retrieved) -> Retrieved:
        """Ask once more for what did not come of a retrieval, and return the end of both passes; that of the first without one."""
        if "IMAGE" not in self._model.levels or not self._model.find:
            return end
        try:
            listed = self._list(identifier, retriever)
        except dimse.DimseError as error:
            self._logger.debug("the peer does not list the instances: %s", one_line(str(error)))
            return end
        missing = self._missing(listed, identifier)
        count = sum(map(len, missing.values()))
        if not count or retriever.stopped:
            return end
        self._logger.info("Asking once more for %d instances that did not come", count)
        refused = self._retrieve(retriever, listed, missing, self._patient_id(identifier))
        return self._ended(end, missing, refused)

    def _patient_id(self, identifier: Identifier) -> str:
        """Return the Patient ID that an identifier names, where the model wants it; empty without exactly one."""
        text = identifier.text("PatientID").strip(" \0")
        return text if "PATIENT" in self._model.levels and not set(text) & set("*?\\") else ""

    # --- what is missing ---

    def _list(self, identifier: Identifier, retriever: Retriever) -> Studies:
        """Return the instances of the studies that an identifier is about, as the peer lists them."""
        options = self._options
        return instances_of_studies(
            (options.addr, options.port), requesting.association_options(options), self._model,
            _values(identifier, "STUDY"), self._patient_id(identifier), options.retrieve_timeout_total,
            lambda: retriever.stopped,
        )  # fmt: skip

    def _missing(self, listed: Studies, identifier: Identifier) -> dict[str, list[str]]:
        """Return the instances to ask for by study: those that are listed and asked for, and did not come."""
        series, instances = _values(identifier, "SERIES"), _values(identifier, "IMAGE")
        classes = self._options.sop_class
        return {
            study: [
                uid
                for uid, one in found.items()
                if not self._arrivals.has(uid)
                and (not series or one.series_instance_uid in series)
                and (not instances or uid in instances)
                # The user wants no others.
                and (not classes or one.sop_class_uid in classes)
            ]
            for study, found in listed.items()
        }

    # --- asking for it ---

    def _retrieve(self, retriever: Retriever, listed: Studies, missing: dict[str, list[str]], patient_id: str) -> int:
        """Ask for what is missing, and return the number of instances that came and were not stored."""
        classes = {listed[study][uid].sop_class_uid for study, uids in missing.items() for uid in uids}
        contexts, roles = self._contexts(filter(None, classes))
        refused, first = 0, retriever.association
        try:
            association = requesting.associate(self._options, contexts, self._handlers, roles=roles)
            retriever.association = association
            try:
                for keys in self._identifiers(listed, missing, patient_id):
                    if retriever.stopped:
                        break
                    end, _ = retriever.take(keys, self._asking(association))
                    refused += end.refused
                    if end.error is not None:
                        raise end.error
            except BaseException:
                association.abort()
                raise
            requesting.end(association, self._options, self._logger)
        except dimse.DimseError as error:
            self._logger.warning("what did not come cannot be asked for once more: %s", one_line(str(error)))
        finally:
            retriever.association = first
        return refused

    def _contexts(
        self, classes: Iterable[str]
    ) -> tuple[tuple[settings.ProposedContext, ...], tuple[settings.Role, ...]]:
        name, syntaxes = self._model.name, self._options.ts or requesting.chosen_syntaxes(self._options) or ()
        try:
            return dimse.contexts_for_get(name, sorted(classes), transfer_syntaxes=syntaxes)
        except ValueError:
            return dimse.contexts_for_get(name, transfer_syntaxes=syntaxes)

    def _identifiers(self, listed: Studies, missing: dict[str, list[str]], patient_id: str) -> Iterator[Identifier]:
        upper = {"PatientID": patient_id} if patient_id else {}
        for study, uids in missing.items():
            for keys in image_identifiers(study, listed[study], uids):
                yield Identifier.of(upper | keys)

    def _ended(self, end: Retrieved, missing: dict[str, list[str]], refused: int) -> Retrieved:
        """Return the end of both passes."""
        arrivals = self._arrivals
        left = {uid: None for uids in missing.values() for uid in uids if not arrivals.has(uid)}
        # What the peer does not list cannot be asked for.
        left.update({uid: None for uid in end.failed_uids if not arrivals.has(uid)})
        status = end.status
        if status is None or not left or status.is_success:
            status = Status(SUB_OPERATIONS_COMPLETE_WITH_FAILURES if left else 0x0000, service="get")
        return replace(
            end, status=status, remaining=0, completed=arrivals.count, failed=len(left), warning=0,
            received=arrivals.count, failed_uids=tuple(left), refused=refused if left else 0, missing=0,
        )  # fmt: skip


def _values(identifier: Identifier, level: str) -> set[str]:
    """Return the UIDs that an identifier names as the unique key of a level; none if it has a wildcard."""
    found = {uid.strip(" \0") for uid in identifier.text(UNIQUE_KEYS[level]).split("\\")} - {""}
    return set() if any(set(uid) & set("*?") for uid in found) else found

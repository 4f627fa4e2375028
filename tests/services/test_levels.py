"""The information model and the level of a request, which are the same for C-FIND, C-GET and C-MOVE."""

from __future__ import annotations

from typing import Any

import pytest

import dimse
from dimse.services.information_models import InformationModel, Operation, find_model
from tests.drivers import LOOPBACK, serving


class Asked:
    """A program whose handlers record the model and the level of their requests.

    Attributes:
        found: The model and the level of each request.
    """

    def __init__(self) -> None:
        self.found: list[tuple[InformationModel, str]] = []

    def answer(self, request: Any) -> int:
        """Return success."""
        self.found.append((request.model, request.level))
        return 0

    def handlers(self) -> dimse.Handlers:
        """Return the handlers."""
        return dimse.Handlers(find=self.answer, get=self.answer, move=self.answer)


def ask(port: int, operation: Operation, model: str, level: str | None) -> int | None:
    """Send one request with a level as it stands, and return its final status."""
    uid = find_model(model, operation).sop_class(operation)
    keys = {"PatientID": "1"} if level is None else {"PatientID": "1", "QueryRetrieveLevel": level}
    with dimse.associate(LOOPBACK, port, contexts=[uid]) as association:
        if operation == "find":
            matches = association.find(keys, model=model, level="")
            try:
                list(matches)
            except dimse.StatusError as error:
                return error.status
            return matches.status
        if operation == "get":
            retrieval = association.get(keys, model=model, level="")
        else:
            retrieval = association.move(keys, "THERE", model=model, level="")
        list(retrieval)
        assert retrieval.result is not None
        return retrieval.result.status


OPERATIONS: tuple[Operation, ...] = ("find", "get", "move")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("model", "sent", "level"),
    [
        ("study", "STUDY", "STUDY"),
        ("study", "IMAGE", "IMAGE"),
        ("study", "INSTANCE", "IMAGE"),
        ("patient", "instance", "IMAGE"),
        ("patient", " Patient", "PATIENT"),
        ("study", "STUDY\0", "STUDY"),
        ("hanging-protocol", "IMAGE", ""),
        ("hanging-protocol", None, ""),
    ],
)
def test_each_operation_names_model_and_level_alike(
    operation: Operation, model: str, sent: str | None, level: str
) -> None:
    asked = Asked()
    with serving("threads", asked.handlers()) as port:
        assert ask(port, operation, model, sent) == 0
    assert asked.found == [(find_model(model, operation), level)]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("model", "sent"),
    [("study", "PATIENT"), ("study", ""), ("study", None), ("patient", "FRAME"), ("patient-study-only", "INSTANCE")],
)
def test_each_operation_refuses_a_level_that_the_model_lacks(
    operation: Operation, model: str, sent: str | None
) -> None:
    asked = Asked()
    with serving("threads", asked.handlers()) as port:
        assert ask(port, operation, model, sent) == 0xA900
    assert asked.found == []

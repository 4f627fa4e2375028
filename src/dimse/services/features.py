"""The features of queries and retrievals that are negotiated (SOP Class Extended Negotiation, PS3.4 C.5 and K.5)."""

from __future__ import annotations

from dimse.services.information_models import MODELS, InformationModel, Operation, find_model
from dimse.settings import ExtendedNegotiation
from dimse.support.values import fields, value
from dimse.upper_layer.negotiation import Negotiated

# Bytes that are always sent where a feature is asked for: those of the first editions, which some peers expect.
_LEAST_BYTES = 5


@value
class Features:
    """The features of a query or a retrieval that both sides have to know.

    A retrieval has the features `relational` and `enhanced_conversion` only.

    Attributes:
        relational: Keys of any level may stand in the identifier, and match.
        date_time: A range of dates and a range of times match as one range of moments.
        fuzzy_names: Names match that are similar.
        timezone: Dates and times are in the time zone that the query names.
        enhanced_conversion: The query is about instances as they are after the conversion of multi-frame images.
        empty_values: The value `""` matches entities that have no value.
        multiple_values: Several values of one key must all match.
    """

    relational: bool = False
    date_time: bool = False
    fuzzy_names: bool = False
    timezone: bool = False
    enhanced_conversion: bool = False
    empty_values: bool = False
    multiple_values: bool = False

    def negotiation(
        self, model: InformationModel | str, operation: Operation = "find"
    ) -> tuple[ExtendedNegotiation, ...]:
        """Return the items that propose these features, for `dimse.associate(extended=...)`; none if no feature is asked for.

        Args:
            model: The information model, also by its name, as `association.find` takes it.
            operation: "find", "get" or "move".

        Raises:
            ValueError: There is no such model, or it has no such feature.
        """
        if isinstance(model, str):
            model = find_model(model, operation)
        missing = [name for name in self._names() if name not in model.features_of(operation)]
        if missing:
            raise ValueError(f"the information model {model.name!r} has no feature {missing[0]!r}")
        if not self._names():
            return ()
        information = self._information(model, operation)
        while len(information) > _LEAST_BYTES and not information[-1]:
            information = information[:-1]
        return (ExtendedNegotiation(model.sop_class(operation), information),)

    def supported(self) -> tuple[ExtendedNegotiation, ...]:
        """Return the items that make an acceptor answer that its handlers support these features, for every model that has one.

        dimse.Server(address, handlers, extended=dimse.Features(relational=True).supported())
        """
        operations: tuple[Operation, ...] = ("find", "get", "move")
        return tuple(
            ExtendedNegotiation(model.sop_class(operation), self._information(model, operation))
            for model in MODELS
            for operation in operations
            if model.sop_class(operation) and not set(self._names()).isdisjoint(model.features_of(operation))
        )

    def _names(self) -> list[str]:
        return [name for name in fields(Features) if getattr(self, name)]

    def _information(self, model: InformationModel, operation: Operation) -> bytes:
        """Return the bytes of these features, one for each feature of the model."""
        # PS3.4 K.5.1.1: the first two are those of every worklist query.
        always = ("relational", "date_time") if model.name == "worklist" else ()
        return bytes(getattr(self, name) or name in always for name in model.features_of(operation))


def accepted_features(negotiated: Negotiated, model: InformationModel, operation: Operation = "find") -> Features:
    """Return the features that the acceptor has agreed to for an operation of a model."""
    names = model.features_of(operation)
    for item in negotiated.agreed:
        if item.sop_class_uid == model.sop_class(operation):
            return Features(**{name: flag == 1 for name, flag in zip(names, item.information, strict=False)})
    return Features()

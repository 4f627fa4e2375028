"""The features of queries that are negotiated (SOP Class Extended Negotiation, PS3.4 C.5 and K.5)."""

from __future__ import annotations

from dimse.services.information_models import InformationModel
from dimse.settings import ExtendedNegotiation
from dimse.support.values import fields, value
from dimse.upper_layer.negotiation import Negotiated

# Bytes that are always sent where a feature is asked for: those of the first editions, which some peers expect.
_LEAST_BYTES = 5


@value
class Features:
    """The features of a query that both sides have to know.

    Attributes:
        relational: Keys of any level may stand in a query, and match.
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

    def negotiation(self, model: InformationModel) -> tuple[ExtendedNegotiation, ...]:
        """Return the items that propose these features for the C-FIND of a model; none if no feature is asked for.

        Raises:
            ValueError: The model has no such feature.
        """
        wanted = [name for name in fields(Features) if getattr(self, name)]
        missing = [name for name in wanted if name not in model.features]
        if missing:
            raise ValueError(f"the information model {model.name!r} has no feature {missing[0]!r}")
        if not wanted:
            return ()
        if model.name == "worklist":
            # PS3.4 K.5.1.1: the first two are those of every worklist query.
            wanted += ["relational", "date_time"]
        information = bytes(name in wanted for name in model.features)
        least = min(_LEAST_BYTES, len(model.features))
        while len(information) > least and not information[-1]:
            information = information[:-1]
        return (ExtendedNegotiation(model.find, information),)


def accepted_features(negotiated: Negotiated, model: InformationModel) -> Features:
    """Return the features that the peer has accepted for the C-FIND of a model."""
    for item in negotiated.extended:
        if item.sop_class_uid == model.find:
            return Features(**{name: flag == 1 for name, flag in zip(model.features, item.information, strict=False)})
    return Features()

"""Numbers as the text of VR DS and IS has them (PS3.5 6.2), and as JSON does."""

from __future__ import annotations

import math

# Characters of a DS.
_LONGEST_DS = 16


def json_number(text: str) -> str | None:
    """Return a number of VR DS or IS as JSON has it, with the digits that it has; None if it is malformed.

    JSON allows neither a plus sign, nor a zero before other digits, nor a point without digits on both its sides.
    """
    if not text.isascii():
        return None
    sign = "-" if text.startswith("-") else ""
    mantissa, exponent_mark, exponent = text.removeprefix(sign or "+").replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    if not (whole + fraction).isdigit():
        return None
    if exponent_mark and not exponent.removeprefix("-" if exponent.startswith("-") else "+").isdigit():
        return None
    whole = whole.lstrip("0") or "0"
    return f"{sign}{whole}{point if fraction else ''}{fraction}{exponent_mark}{exponent}"


def decimal_string(number: int | float | str) -> str:
    """Return a number as a DS has it: at most 16 characters (PS3.5 6.2), with the digits that it has if they fit."""
    text = str(number)
    if len(text) <= _LONGEST_DS:
        return text
    if not math.isfinite(float(text)):
        raise ValueError("this is not a number that DS can hold")
    shorter = (f"{float(number):.{digits}g}" for digits in range(_LONGEST_DS, 0, -1))
    return next(text for text in shorter if len(text) <= _LONGEST_DS)

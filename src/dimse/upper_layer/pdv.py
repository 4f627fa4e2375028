"""The message control header of a presentation data value (PS3.8 E.2): `upper_layer` moves it, `message` goes by it."""

from __future__ import annotations

COMMAND = 0x01  # a fragment of a command set, else of a data set
LAST = 0x02  # the last fragment of it

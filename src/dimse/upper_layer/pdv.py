"""The message control header of a presentation data value (PS3.8 E.2). `upper_layer` transmits it, and `message` interprets it."""

from __future__ import annotations

COMMAND = 0x01  # the fragment's set is a command
LAST = 0x02  # the last fragment of it

"""Fuzz targets: what a peer says, or a file, in any bytes. See README.md."""

from __future__ import annotations

from pathlib import Path

TARGETS = ("pdu_stream", "command_set", "file_meta")
"""Modules of this package. Each has `one(data)`: it returns if all that it promises holds for these bytes, and else raises."""

SEEDS = Path(__file__).parent / "seeds"
"""A folder of inputs for each target: where fuzzing begins, and what the tests try again."""

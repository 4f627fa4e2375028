"""Fuzz targets for the bytes of a peer and of files. See README.md."""

from __future__ import annotations

from pathlib import Path

TARGETS = ("pdu_stream", "command_set", "file_meta")
"""The modules with a target. `one(data)` returns if everything that it promises holds for these bytes, and raises otherwise."""

SEEDS = Path(__file__).parent / "seeds"
"""A folder of inputs for each target, with which fuzzing begins, and which the tests repeat."""

"""Fixtures for the tests of associations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers import (
    Instance,
    make_instance,
)


@pytest.fixture
def large(tmp_path: Path) -> Instance:
    """Return an instance that is larger than the buffers of a connection."""
    return make_instance(tmp_path, pixels=12 << 20)

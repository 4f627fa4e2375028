"""The counted programs run on one processor: on several, a waiting thread polls as often as there is time."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def one_processor() -> Iterator[None]:
    """Restrict the tools that a test starts to one processor, where the system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)

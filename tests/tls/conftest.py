"""Certificates for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tls.certificates import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a CA, and its certificates, made once a module."""
    return Certificates(Path(tmp_path_factory.mktemp("certificates")))

"""A pytest plugin, run by the Python that has pynetdicom: its tests of its applications start other commands.

They start an application in functions of their module, `start_echoscu(args)` and `start_echoscu_cli(args)`. COMMANDS in
the environment is a JSON object: by the name of such a function, the command to start instead; `args` are added to it.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess

import pytest


def start(command: list[str], args: list[str]) -> subprocess.Popen[bytes]:
    """Start the command in place of the application."""
    return subprocess.Popen([*command, *args])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Replace the functions in every module that was collected."""
    commands = json.loads(os.environ["COMMANDS"])
    for module in {item.getparent(pytest.Module) for item in items}:
        assert module is not None
        for name, command in commands.items():
            assert hasattr(module.obj, name), f"{module.name} has no {name} to replace"
            setattr(module.obj, name, functools.partial(start, command))

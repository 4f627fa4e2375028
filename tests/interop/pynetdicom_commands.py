"""A pytest plugin, run by the Python that has pynetdicom: its tests of its applications start other commands.

They start an application in functions of their module, `start_echoscu(args)` and `start_echoscu_cli(args)`. COMMANDS in
the environment is a JSON object: by the name of such a function, the command to start instead; `args` are added to it.

The command for an SCP ends with its port, or has the port of those tests. They give an SCP half a second to listen, and a sender
one second to send. Here they go on as soon as that is done.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import subprocess
from contextlib import suppress
from types import SimpleNamespace

import pytest

POLL_SECONDS, PORT = 0.02, 11112


def start(command: list[str], args: list[str]) -> subprocess.Popen[bytes]:
    """Start the command in place of the application."""
    return subprocess.Popen([*command, *args])


def start_scp(command: list[str], args: list[str]) -> subprocess.Popen[bytes]:
    """Start the command in place of an SCP, and wait until it listens, or has ended."""
    process = start(command, args)
    port = int(command[-1]) if command[-1].isdecimal() else PORT
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
            return process
        with suppress(ConnectionError):
            socket.create_connection(("localhost", port)).close()
            return process


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Replace the functions in every module that was collected."""
    commands = json.loads(os.environ["COMMANDS"])
    for module in {item.getparent(pytest.Module) for item in items}:
        assert module is not None
        for name, command in commands.items():
            assert hasattr(module.obj, name), f"{module.name} has no {name} to replace"
            is_scp = name.removesuffix("_cli").endswith("scp")
            setattr(module.obj, name, functools.partial(start_scp if is_scp else start, command))
            if is_scp:
                vars(module.obj)["time"] = SimpleNamespace(sleep=lambda seconds: None)
                # What the tests start by themselves is a sender.
                vars(module.obj)["subprocess"] = SimpleNamespace(
                    Popen=lambda command: subprocess.run(command, check=True)
                )

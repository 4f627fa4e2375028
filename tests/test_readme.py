"""Every example of the README runs as it is printed, but for the names of hosts, ports and files."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

import dimse
from dimse.testing import LOOPBACK, StorageSCP
from tests.files import pydicom_files
from tests.interop.peers import free_port
from tests.tools import running
from tests.tools.listeners import listening

README = Path(__file__).parents[1] / "README.md"
TOOLS = ("echoscu", "storescu", "storescp", "echoscp")
PEER = "pacs.example.org"


def _blocks() -> list[str]:
    """Return the indented blocks of the README, each without its indentation."""
    text = README.read_text()
    found = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
    return [textwrap.dedent(block).strip("\n") for block in found if block.strip()]


BLOCKS = _blocks()
PYTHON = [
    block for block in BLOCKS if re.search(r"^(import|from|with|async with|for|def|contexts) ?", block, re.MULTILINE)
]
COMMANDS = [
    line.strip().removeprefix("$ ")
    for block in BLOCKS
    if block not in PYTHON
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip().removeprefix("$ ").split(" ")[0] in TOOLS
]
# The commands that need certificates are those of the tests of TLS.
PLAIN = [command for command in COMMANDS if "--tls" not in command]


def test_the_examples_are_found() -> None:
    assert len(PYTHON) >= 7
    assert len(PLAIN) >= 10


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make what the examples name, in the current folder."""
    (tmp_path / "study").mkdir()
    for name, file in zip(("one.dcm", "two.dcm", "image.dcm", "study/1.dcm"), pydicom_files().sendable, strict=False):
        shutil.copy(file.path, tmp_path / name)
    (tmp_path / "import.py").write_text("#!/bin/sh\n")
    (tmp_path / "import.py").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- Python


@pytest.fixture
def peer() -> Iterator[StorageSCP]:
    """Start the peer that the examples name."""
    with StorageSCP(ae_title="ARCHIVE") as scp:
        yield scp


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[dimse.Server]:
    """Return the servers that an example starts; each is sent an instance instead of serving forever."""
    served: list[dimse.Server] = []

    def serve_one(server: dimse.Server) -> None:
        served.append(server)
        file = pydicom_files().sendable[0]
        context = (file.sop_class_uid, [file.transfer_syntax])
        with dimse.associate(LOOPBACK, server.address[1], contexts=[context]) as association:
            assert association.store(file.path).is_success

    monkeypatch.setattr(dimse.Server, "serve_forever", serve_one)
    return served


def _is_a_test(block: str) -> bool:
    return "def test_" in block


@pytest.mark.parametrize("block", [block for block in PYTHON if not _is_a_test(block)])
def test_an_example_in_python(
    block: str, here: Path, peer: StorageSCP, servers: list[dimse.Server], capsys: pytest.CaptureFixture[str]
) -> None:
    code = re.sub(r'"(pacs|next)\.example\.org", 104', f'"{LOOPBACK}", {peer.port}', block)
    code = re.sub(r'\("(127\.0\.0\.1|0\.0\.0\.0)", 11112\)', f'("{LOOPBACK}", 0)', code)
    assert code != block or "FileStore" in block
    if "async with" in code:
        code = f"import asyncio\nimport dimse\nasync def main():\n{textwrap.indent(code, '    ')}\nasyncio.run(main())"
    exec(compile(code, str(README), "exec"), {"dimse": dimse, "__name__": "example", "asyncio": asyncio})
    assert servers or "Server" not in block
    if "forwarder" in block.lower():
        assert len(peer.instances) == 1
    if "store_many" in block:
        assert capsys.readouterr().out.count("0x0000 - Success") >= 1


def test_the_example_of_a_test(here: Path) -> None:
    (block,) = (block for block in PYTHON if _is_a_test(block))

    def my_program(host: str, port: int) -> None:
        with dimse.associate(host, port, contexts=["CTImageStorage"]) as association:
            for uid in ("1.2.3", "1.2.4"):
                association.store(_instance(uid))

    namespace = {"my_program": my_program}
    exec(compile(block, str(README), "exec"), namespace)
    (test,) = (thing for name, thing in namespace.items() if name.startswith("test_"))
    test()  # type: ignore[call-arg]


def _instance(uid: str) -> Dataset:
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = dimse.uids.CTImageStorage, uid
    data_set.file_meta = Dataset()  # type: ignore[assignment]
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data_set


# --- commands


@pytest.mark.parametrize("command", PLAIN)
def test_an_example_of_a_command(command: str, here: Path, peer: StorageSCP) -> None:
    words = shlex.split(command, comments=True)
    local = {"104": str(peer.port), PEER: LOOPBACK, "/archive": str(here / "study"), "9100": "0"}
    words = [local.get(word, word) for word in words]
    tool, *arguments = words
    if tool.endswith("scp"):
        arguments = [word for word in arguments if word != "11112"]
        if "--allow-from" in arguments:
            arguments += ["--allow-from", "127.0.0.0/8", "--allow-calling", "ECHOSCU"]
        with listening(tool, *arguments) as listener:
            assert running.tool("echoscu", LOOPBACK, listener.port).returncode == 0
        return
    process = running.tool(tool, *arguments, cwd=here)
    assert process.returncode == 0, process.stderr


def test_the_exit_statuses_are_those_of_the_tools() -> None:
    assert running.tool("echoscu", LOOPBACK, free_port()).returncode == 1
    assert running.tool("echoscu").returncode == 2
    with StorageSCP() as scp:
        assert running.tool("storescu", LOOPBACK, scp.port, "no-such-file.dcm").returncode == 3

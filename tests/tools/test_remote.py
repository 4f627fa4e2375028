"""`--remote NAME` on the command line of the tools that request associations."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import dimse
from dimse.settings import USER_NAME, USER_NAME_AND_PASSCODE
from dimse.testing import StorageSCP
from tests.drivers import LOOPBACK, serving
from tests.tools import running

REQUESTORS = ["echoscu", "storescu", "findscu", "getscu", "movescu", "retrieve"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file of remotes that the tools read."""
    path = tmp_path / "remotes.toml"
    path.touch(0o600)
    monkeypatch.setenv("DIMSE_CONFIG", str(path))
    return path


def write(file: Path, port: int, more: str = "") -> None:
    """Write a file with one remote, `pacs`."""
    file.write_text(f'[pacs]\nhost = "{LOOPBACK}"\nport = {port}\ncalled_ae_title = "ARCHIVE"\n{more}\n')


def test_files_are_sent_to_a_remote(file: Path, tmp_path: Path) -> None:
    paths = [running.Instance(f"1.2.{number}").write(tmp_path / f"{number}.dcm") for number in range(3)]
    with StorageSCP(ae_title="ARCHIVE", require_called=True) as scp:
        write(file, scp.port)
        for arguments in (("--remote", "pacs", *paths), ("--remote=pacs", *paths), (*paths, "--remote", "pacs")):
            done = running.tool("storescu", *arguments)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        done = running.tool("storescu", "--remote", "pacs", "--dry-run", *paths)
        assert done.returncode == 0, done.stderr
    assert {(sent.calling_ae_title, sent.called_ae_title) for sent in scp.instances} == {("STORESCU", "ARCHIVE")}
    assert len(scp.instances) == 9


def test_arguments_from_a_file_may_name_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "arguments").write_text("--remote\npacs\n-v\n")
    with serving() as port:
        write(file, port)
        done = running.tool("echoscu", f"@{tmp_path / 'arguments'}")
    assert (done.returncode, "Association Accepted" in done.stderr) == (0, True)


def test_an_option_wins_over_the_remote(file: Path) -> None:
    with serving(ae_title="OTHER", require_called=True) as port:
        write(file, port, "timeouts = { connect = 1 }")
        refused = running.tool("echoscu", "--remote", "pacs")
        assert refused.returncode == 1
        assert f"Peer: {LOOPBACK}:{port}, called ARCHIVE, calling ECHOSCU" in refused.stderr
        assert running.tool("echoscu", "--remote", "pacs", "-aec", "OTHER").returncode == 0


@pytest.mark.parametrize("tool", REQUESTORS)
def test_every_requestor_takes_it(tool: str, file: Path, tmp_path: Path) -> None:
    write(file, 1)
    what = [running.Instance().write(tmp_path / "image.dcm")] if tool == "storescu" else []
    keys = [] if tool in ("echoscu", "storescu", "retrieve") else ["-S", "-k", "StudyInstanceUID=1.2"]
    keys = ["--patient-id", "4711"] if tool == "retrieve" else keys
    more = ["-aem", "ME"] if tool == "movescu" else []
    done = running.tool(tool, "--remote", "pacs", *keys, *more, *what, cwd=tmp_path)
    assert (done.returncode, f"Peer: {LOOPBACK}:1, called ARCHIVE" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("tool", REQUESTORS)
def test_without_it_the_peer_is_needed(tool: str, file: Path) -> None:
    done = running.tool(tool)
    assert (done.returncode, "required: addr, port" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no remote is named 'pacs': it has none"),
        ("[pacs", "not TOML"),
        ('[pacs]\nhost = "a"\nport = 1\nhots = "b"', "hots is not known: did you mean host?"),
    ],
)
def test_a_fault_of_the_file_is_one_line_and_exit_status_2(file: Path, content: str, words: str) -> None:
    file.write_text(content)
    done = running.tool("echoscu", "--remote", "pacs")
    usage, error = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert usage.startswith("usage: ")
    assert error.startswith(f"echoscu: error: --remote: {file}: ") and words in error


def test_passwords_that_others_can_read_are_refused(file: Path) -> None:
    write(file, 104, 'identity = { user = "me", password = "open-sesame" }')
    file.chmod(0o644)
    done = running.tool("echoscu", "--remote", "pacs")
    assert (done.returncode, f"chmod 600 {file}" in done.stderr, "open-sesame" in done.stderr) == (2, True, False)


def test_the_identity_of_a_remote_is_given(file: Path) -> None:
    identities: list[dimse.UserIdentity] = []

    def take(identity: dimse.UserIdentity) -> bytes:
        identities.append(identity)
        return b""

    with serving(identify=take) as port:
        write(file, port, 'identity = { user = "me", password = "open-sesame" }')
        refused = running.tool("echoscu", "--remote", "pacs")
        assert (refused.returncode, "--allow-plain-password" in refused.stderr) == (2, True)
        assert running.tool("echoscu", "--remote", "pacs", "--allow-plain-password").returncode == 0
        assert running.tool("echoscu", "--remote", "pacs", "--user", "other").returncode == 0
        write(file, port, 'identity = { user = "me" }')
        assert running.tool("echoscu", "--remote", "pacs").returncode == 0
        environment = os.environ | {"DIMSE_PASSWORD": "from-outside"}
        done = running.tool("echoscu", "--remote", "pacs", "--allow-plain-password", env=environment)
        assert done.returncode == 0
    assert identities == [
        dimse.UserIdentity(USER_NAME_AND_PASSCODE, b"me", b"open-sesame"),
        dimse.UserIdentity(USER_NAME, b"other"),
        dimse.UserIdentity(USER_NAME, b"me"),
        dimse.UserIdentity(USER_NAME_AND_PASSCODE, b"me", b"from-outside"),
    ]


def test_the_tls_of_a_remote_is_spoken(file: Path, tmp_path: Path) -> None:
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert(LOOPBACK).private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    (tmp_path / "server.pem").chmod(0o600)
    tls = dimse.TLS(certificate=str(tmp_path / "server.pem"), require_client_certificate=False)
    with serving(tls=tls) as port:
        write(file, port, 'tls = { ca = "ca.pem" }')
        done = running.tool("echoscu", "--remote", "pacs", "--tls-info")
        assert (done.returncode, "TLSv1.3" in done.stderr) == (0, True), done.stderr
        write(file, port, 'tls = { ca = "no-such.pem" }')
        done = running.tool("echoscu", "--remote", "pacs")
        assert (done.returncode, "cannot use TLS: " in done.stderr) == (2, True)


def test_a_run_without_it_loads_no_reader(file: Path) -> None:
    with serving() as port:
        done = running.run(*(sys.executable, "-X", "importtime", "-m", "dimse", "echoscu", LOOPBACK, str(port)))
    assert done.returncode == 0
    assert not [line for line in done.stderr.splitlines() if "tomllib" in line or "remote" in line]

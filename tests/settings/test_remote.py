"""A remote: a value that stands for host, port and keywords on both faces, and is read from a file by its name."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio
from dimse.settings import USER_NAME, USER_NAME_AND_PASSCODE
from dimse.testing import StorageSCP
from tests.drivers import LOOPBACK, make_instance

CONTEXTS = [dimse.Verification]


def test_every_function_takes_it_in_place_of_a_host_and_a_port(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)

    async def looped(remote: dimse.Remote) -> None:
        async with aio.associate(remote, contexts=dimse.contexts_for(instance.path)) as association:
            assert await association.store(instance.path) == 0
        assert [outcome.state async for outcome in aio.send(instance.path, remote)] == ["stored"]

    with StorageSCP(ae_title="ARCHIVE", require_called=True) as scp:
        remote = dimse.Remote(LOOPBACK, scp.port, called_ae_title="ARCHIVE", calling_ae_title="ME")
        with dimse.associate(remote, contexts=dimse.contexts_for(instance.path)) as association:
            assert association.store(instance.path) == 0
        assert [outcome.state for outcome in dimse.send([instance.path], remote)] == ["stored"]
        with dimse.Forwarder(remote) as forwarder:
            assert forwarder.store(instance.path) == 0
        asyncio.run(looped(remote))
    assert {(sent.calling_ae_title, sent.called_ae_title) for sent in scp.instances} == {("ME", "ARCHIVE")}
    assert len(scp.instances) == 5


def test_a_keyword_wins_over_it_and_it_wins_over_a_requestor() -> None:
    requestor = dimse.Requestor(CONTEXTS, calling_ae_title="REQUESTOR", called_ae_title="REQUESTED")
    with StorageSCP() as scp:
        remote = dimse.Remote(LOOPBACK, scp.port, called_ae_title="ARCHIVE", calling_ae_title="REMOTE")
        with dimse.associate(remote, requestor=requestor, calling_ae_title="KEYWORD") as association:
            assert "KEYWORD to ARCHIVE" in repr(association)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"host": ""}, ValueError, "Remote needs the name or the address of a host"),
    ({"host": 5}, TypeError, "Remote takes a host and a port"),
    ({"port": 0}, ValueError, "a port from 1 to 65535"),
    ({"called_ae_title": "X" * 17}, ValueError, "1 to 16 characters"),
    ({"calling_ae_title": ""}, ValueError, "1 to 16 characters"),
    ({"timeouts": 5}, TypeError, "timeouts is a dimse.Timeouts"),
    ({"identity": "me"}, TypeError, "identity is a dimse.UserIdentity"),
    ({"tls": True}, TypeError, "tls is a dimse.TLS or an ssl.SSLContext"),
    ({"async_ops": -1}, ValueError, "asynchronous operations window"),
    ({"maximum_length": 5}, ValueError, "maximum length"),
]


@pytest.mark.parametrize(("changes", "error", "words"), WRONG)
def test_a_mistake_is_told_where_it_is_made(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dimse.Remote(**{"host": LOOPBACK, "port": 104, **changes})


def test_it_is_a_value_and_shows_no_secret() -> None:
    identity = dimse.UserIdentity(USER_NAME_AND_PASSCODE, b"me", b"open-sesame")
    remote = dimse.Remote("pacs.example.org", 104, identity=identity)
    assert remote == dimse.Remote("pacs.example.org", 104, identity=identity)
    assert "open-sesame" not in repr(remote)
    with pytest.raises(AttributeError):
        remote.port = 105  # type: ignore[misc]


@pytest.mark.parametrize("call", [dimse.associate, aio.associate, dimse.Forwarder])
def test_it_does_not_go_with_a_port(call: Any) -> None:
    remote = dimse.Remote(LOOPBACK, 104)
    with pytest.raises(TypeError, match=r"takes a dimse\.Remote, or a host and a port"):
        call(remote, 104, contexts=CONTEXTS)


# --- the file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the user's file of remotes."""
    path = tmp_path / "remotes.toml"
    monkeypatch.setenv("DIMSE_CONFIG", str(path))
    return path


FULL = """
[pacs]
host = "pacs.example.org"
port = 2762
called_ae_title = "ARCHIVE"
calling_ae_title = "ME"
async_ops = 4
maximum_length = 65536
timeouts = { connect = 5, dimse = 60.5 }
identity = { user = "me", password = "open-sesame", positive_response = true }

[pacs.tls]
ca = "hospital.pem"
certificate = "/etc/dimse/me.pem"
profile = "modified"

[test]
host = "::1"
port = 11112
tls = false
identity = { user = "me" }
"""


def test_a_remote_is_read_by_its_name(file: Path) -> None:
    file.touch(0o600)
    file.write_text(FULL)
    remote = dimse.Remote.named("pacs")
    assert (remote.address, remote.called_ae_title, remote.calling_ae_title) == (
        ("pacs.example.org", 2762),
        "ARCHIVE",
        "ME",
    )
    assert remote.timeouts == dimse.Timeouts(connect=5, dimse=60.5)
    assert (remote.async_ops, remote.maximum_length) == (4, 65536)
    assert remote.identity == dimse.UserIdentity(
        USER_NAME_AND_PASSCODE, b"me", b"open-sesame", positive_response_requested=True
    )
    assert isinstance(remote.tls, dimse.TLS)
    assert (remote.tls.ca, remote.tls.certificate) == (str(file.parent / "hospital.pem"), "/etc/dimse/me.pem")
    assert dimse.Remote.named("test") == dimse.Remote("::1", 11112, identity=dimse.UserIdentity(USER_NAME, b"me"))


def test_the_file_is_among_the_users_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIMSE_CONFIG", raising=False)
    for variable, folder in (("XDG_CONFIG_HOME", tmp_path / "xdg"), ("HOME", tmp_path / "home" / ".config")):
        (folder / "dimse").mkdir(parents=True)
        (folder / "dimse" / "remotes.toml").write_text(f'[it]\nhost = "{variable}"\nport = 104\n')
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.setenv(variable, str(folder if variable == "XDG_CONFIG_HOME" else folder.parent))
        assert dimse.Remote.named("it").host == variable


UNUSABLE = [
    ("", "no remote is named 'pacs': it has none"),
    ('[pasc]\nhost = "a"\nport = 1', "no remote is named 'pacs': it has pasc"),
    ("pacs = 5", "no remote is named 'pacs': it has none"),
    ("[pacs", "not TOML: "),
    ("[pacs]\nport = 104", "[pacs]: no host"),
    ('[pacs]\nhost = "a"', "[pacs]: no port"),
    ('[pacs]\nhost = "a"\nport = "104"', "[pacs]: Remote takes a host and a port"),
    ('[pacs]\nhost = "a"\nport = 1\nae_title = "X"', "[pacs]: ae_title is not known: did you mean called_ae_title?"),
    ('[pacs]\nhost = "a"\nport = 1\ntimeouts = 5', "[pacs]: timeouts is a table"),
    (
        '[pacs]\nhost = "a"\nport = 1\ntimeouts.conect = 5',
        "[pacs]: timeouts.conect is not known: did you mean connect?",
    ),
    ('[pacs]\nhost = "a"\nport = 1\ntls.cer = "x"', "[pacs]: tls.cer is not known: did you mean "),
    ('[pacs]\nhost = "a"\nport = 1\ntls.ca = 5', "[pacs]: tls.ca is a text that is not empty"),
    ('[pacs]\nhost = "a"\nport = 1\ntls.ca = "a\\u0000b"', "[pacs]: tls.ca is a path, which has no NUL"),
    ('[pacs]\nhost = "a"\nport = 1\ntls.verify = 0', "[pacs]: tls.verify is true or false"),
    ('[pacs]\nhost = "a"\nport = 1\ntls.pin = []', "[pacs]: tls.pin is a fingerprint, or a list of them"),
    ('[pacs]\nhost = "a"\nport = 1\ntls.pin = {}', "[pacs]: tls.pin is a text that is not empty"),
    ('[pacs]\nhost = "a"\nport = 1\ntls.pin = 5', "[pacs]: tls.pin is a text that is not empty"),
    ('[pacs]\nhost = "a"\nport = 1\ntls.server_name = 5', "[pacs]: tls.server_name is a text that is not empty"),
    ("a = " + "[" * 50_000, "its values are nested too deep"),
    ("a = " + "{a=" * 20_000, "its values are nested too deep"),
    ('[pacs]\nhost = "a"\nport = 1\nidentity = {}', "[pacs]: identity has one of user, jwt, saml and kerberos"),
    ('[pacs]\nhost = "a"\nport = 1\nidentity.jwt = "no-such"', "[pacs]: identity.jwt: cannot read "),
    ('[pacs]\nhost = "a"\nport = 1\ncalling_ae_title = ""', "[pacs]: an AE title has 1 to 16 characters"),
]


@pytest.mark.parametrize(("content", "words"), UNUSABLE)
def test_a_file_that_cannot_be_used_is_told_in_one_line(file: Path, content: str, words: str) -> None:
    file.write_text(content)
    with pytest.raises(ValueError, match=r"remotes\.toml: ") as raised:
        dimse.Remote.named("pacs")
    assert str(raised.value).startswith(f"{file}: {words}")
    assert "\n" not in str(raised.value)


def test_a_fifo_in_its_place_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    with pytest.raises(ValueError, match="not a regular file"):
        dimse.Remote.named("pacs")


def test_a_secret_in_the_wrong_place_is_not_told(file: Path) -> None:
    file.write_text('[pacs]\nhost = "a"\nport = 1\nidentity = "me:secret"\n')
    with pytest.raises(ValueError, match="identity is a table") as raised:
        dimse.Remote.named("pacs")
    assert "me:secret" not in str(raised.value)


def test_a_file_that_is_not_there_is_told_with_the_cure(file: Path) -> None:
    with pytest.raises(ValueError, match=r"no such file or directory \(DIMSE_CONFIG may name another file\)"):
        dimse.Remote.named("pacs")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
@pytest.mark.parametrize("secret", ['identity = { user = "me", password = "x" }', 'tls = { password = "x" }'])
def test_a_file_with_passwords_is_its_owners_alone(file: Path, mode: int, secret: str) -> None:
    file.write_text(f'[open]\nhost = "a"\nport = 1\n[other]\nhost = "a"\nport = 1\n{secret}\n')
    file.chmod(mode)
    with pytest.raises(ValueError, match="it has passwords, and other users may read or change it: chmod 600"):
        dimse.Remote.named("open")
    file.chmod(0o600)
    assert dimse.Remote.named("open").host == "a"

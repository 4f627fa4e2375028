"""User identity with the real peers: theirs at our listener, ours at theirs (PS3.7 D.3.3.7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse.tools.passwords import Hash
from tests.interop import peers
from tests.tools import listeners, running

SECRET = "sesame"

pytestmark = pytest.mark.thorough
REJECTED = "E: Association Rejected"
UNCONFIRMED = "E: the peer accepted the association without confirming the user identity"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[listeners.Listener]:
    """Yield the port of an echoscp that knows alice."""
    users = tmp_path / "users"
    users.touch(0o600)
    users.write_text(f"alice:{Hash.of(SECRET.encode())}\n")
    with listeners.listening("echoscp", "--password-file", users, "--allow-plain-password") as listening:
        yield listening


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        (["-usr", "alice", "-pwd", SECRET], True),
        (["-usr", "alice", "-pwd", SECRET, "-rsp"], True),
        (["-usr", "alice", "-pwd", "wrong"], False),
        (["-usr", "mallory", "-pwd", SECRET], False),
        (["-usr", "alice"], False),
        ([], False),
    ],
)
def test_dcmtk_at_ours(listener: listeners.Listener, options: list[str], accepted: bool, tmp_path: Path) -> None:
    # DCMTK's echoscu has no options for it.
    image = running.Instance().write(tmp_path / "image.dcm")
    done = peers.run(peers.dcmtk("storescu"), "-v", *options, listener.host, str(listener.port), str(image))
    if accepted:
        # An echoscp stores nothing: the association was accepted.
        assert "No Acceptable Presentation Contexts" in done.stdout
    else:
        assert "Association Rejected" in done.stdout
        assert "Result: Rejected Permanent, Source: Service User" in done.stdout


@pytest.mark.parametrize(
    ("secondary", "respond", "expected"),
    [
        (SECRET, False, ["accepted", 0, None]),
        (SECRET, True, ["accepted", 0, ""]),
        ("wrong", True, ["rejected", 1, None]),
    ],
)
def test_pynetdicom_at_ours(
    listener: listeners.Listener, secondary: str, respond: bool, expected: list[object]
) -> None:
    script = str(Path(__file__).with_name("pynetdicom_identity.py"))
    options = ["--secondary", secondary, *(["--respond"] if respond else [])]
    done = peers.run(peers.pynetdicom(), script, "scu", listener.host, str(listener.port), *options)
    assert json.loads(done.stdout.splitlines()[-1]) == expected


@pytest.mark.parametrize("respond", [False, True])
@pytest.mark.parametrize(
    ("options", "said", "line"),
    [
        (["--user", "alice", "--password", SECRET], [2, b"alice".hex(), SECRET.encode().hex()], ""),
        (["--user", "alice", "--password", "wrong"], [2, b"alice".hex(), b"wrong".hex()], REJECTED),
        (["--jwt", "FILE"], [5, b"a.b.c".hex(), ""], ""),
        (["--saml", "FILE"], [4, b"a.b.c".hex(), ""], ""),
        (["--kerberos", "FILE"], [3, b"a.b.c\n".hex(), ""], ""),
    ],
)
def test_ours_at_pynetdicom(options: list[str], said: list[object], line: str, respond: bool, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a.b.c\n")
    words = [str(token) if word == "FILE" else word for word in options]
    with peers.pynetdicom_script("pynetdicom_identity.py", tmp_path / "scp", "scp") as scp:
        done = running.tool(
            "echoscu", "127.0.0.1", scp.port, "--allow-plain-password", *words, *(["--positive-response"] * respond)
        )
        assert json.loads(scp.output.splitlines()[1]) == said
    if respond and said[0] == 2 and not line:
        # It answers tickets, assertions and tokens only.
        line = UNCONFIRMED
    assert done.returncode == bool(line), done.stderr
    assert done.stderr.splitlines()[:1] == ([line] if line else [])


def test_a_peer_that_does_not_look_at_identities_confirms_none(tmp_path: Path) -> None:
    with peers.dcmtk_storescp(tmp_path / "scp") as scp:
        who = ["--user", "alice"]
        assert running.tool("echoscu", "127.0.0.1", scp.port, *who).returncode == 0
        done = running.tool("echoscu", "127.0.0.1", scp.port, *who, "--positive-response")
    assert done.returncode == 1
    first, where = done.stderr.splitlines()
    assert first == UNCONFIRMED
    assert where.startswith("E: Peer: ")

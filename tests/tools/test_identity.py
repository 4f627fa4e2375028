"""User identity on the command line: what a requestor says of its user, and whom a listener lets in."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

import dimse
from dimse import settings
from dimse.tools.passwords import COST, Hash, Passwords
from tests.drivers import LOOPBACK, serving
from tests.tools import listeners, running
from tests.tools.terminal import Terminal

SECRET = "open-sesame"
# scrypt's N, r and p for tests that do not measure how long it takes.
QUICK = (16, 1, 1)


class Asked:
    """A server that takes every identity, and remembers it."""

    def __init__(self) -> None:
        self.identities: list[dimse.UserIdentity] = []

    def __call__(self, who: dimse.UserIdentity) -> bytes:
        self.identities.append(who)
        return b""


@pytest.fixture(params=["echoscu", "storescu"])
def tool(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def what(tool: str, tmp_path: Path) -> list[Path]:
    """Return what the tool is given behind the peer."""
    return [running.Instance().write(tmp_path / "image.dcm")] if tool == "storescu" else []


def password_file(folder: Path, **users: str) -> Path:
    path = folder / "users"
    path.touch(0o600)
    path.write_text(
        "# who may come\n\n" + "".join(f"{user}:{Hash.of(word.encode(), QUICK)}\n" for user, word in users.items())
    )
    return path


# --- a requestor ---


@pytest.mark.thorough
@pytest.mark.parametrize("respond", [False, True])
@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        (["--user", "alice"], None, (settings.USER_NAME, b"alice", b"")),
        (["--user", "alice", "--password", SECRET], None, (settings.USER_NAME_AND_PASSCODE, b"alice", SECRET.encode())),
        (["--user", "J\xf6rg"], SECRET, (settings.USER_NAME_AND_PASSCODE, "J\xf6rg".encode(), SECRET.encode())),
        (["--jwt", "FILE"], None, (settings.JSON_WEB_TOKEN, b"a.b\0c", b"")),
        (["--saml", "FILE"], None, (settings.SAML, b"a.b\0c", b"")),
        (["--kerberos", "FILE"], None, (settings.KERBEROS, b"a.b\0c\n", b"")),
    ],
)
def test_the_user_identity_that_is_sent(
    options: list[str], environment: str | None, expected: tuple[int, bytes, bytes], respond: bool, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_bytes(b"\xef\xbb\xbfa.b\0c\r\n" if "--jwt" in options else b"a.b\0c\n")
    words = [str(token) if word == "FILE" else word for word in options]
    asked = Asked()
    with serving(identify=asked) as port:
        process = running.tool(
            "echoscu", LOOPBACK, port, "-d", "--allow-plain-password", *words,
            *(["--positive-response"] if respond else []),
            env=os.environ | ({"DIMSE_PASSWORD": environment} if environment else {}),
        )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (who,) = asked.identities
    assert (who.identity_type, who.primary, who.secondary) == expected
    assert who.positive_response_requested == respond
    assert f"Positive Response Requested: {'Yes' if respond else 'No'}" in process.stderr
    assert SECRET not in process.stderr and "a.b" not in process.stderr


def test_storescu_sends_a_user_identity_too(tmp_path: Path) -> None:
    asked = Asked()
    image = running.Instance().write(tmp_path / "image.dcm")
    with serving(identify=asked, accept_unknown=True, handlers=dimse.Handlers(store=lambda request: 0)) as port:
        process = running.tool("storescu", LOOPBACK, port, image, "--user", "alice", "--positive-response")
    assert (process.returncode, process.stderr) == (0, "")
    assert [who.user for who in asked.identities] == ["alice"]


@pytest.mark.thorough
def test_an_identity_that_was_to_be_confirmed_and_is_not(tool: str, what: list[Path]) -> None:
    with serving(accept_unknown=True) as port:
        process = running.tool(tool, LOOPBACK, port, *what, "--user", "alice", "--positive-response")
    assert process.returncode == 1
    assert running.errors(process)[0] == "the peer accepted the association without confirming the user identity"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--password", SECRET], "--password is for --user"),
        (["--positive-response"], "--positive-response needs --user, --jwt, --saml or --kerberos"),
        (["--user", ""], "--user is empty"),
        (["--user", "u" * 65536], "has at most 65535 bytes"),
        (["--user", "me", "--jwt", "F"], "not allowed with argument"),
        (["--saml", "F", "--jwt", "F"], "not allowed with argument"),
        (["--user", "me", "--password", SECRET], "a password or token is not sent: without --tls"),
        (["--jwt", "FILE"], "a password or token is not sent: without --tls"),
        (["--jwt", "missing"], "cannot read missing: No such file or directory"),
        (["--saml", "/dev/null"], "/dev/null: there is no SAML assertion in it"),
        (["--kerberos", "/dev/zero", "--allow-plain-password"], "has at most 65535 bytes"),
    ],
)
def test_what_does_not_go_together(
    tool: str, what: list[Path], options: list[str], complaint: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("a.b.c")
    words = [str(token) if word == "FILE" else word for word in options]
    process = running.tool(tool, LOOPBACK, 1, *what, *words)
    assert process.returncode == 2
    assert complaint in process.stderr.splitlines()[-1]
    assert SECRET not in process.stderr


def test_a_password_is_asked_for_on_the_terminal() -> None:
    asked = Asked()
    code = (
        "import fcntl, os, termios; os.setsid(); fcntl.ioctl(2, termios.TIOCSCTTY, 0); "
        "from dimse.__main__ import main; raise SystemExit(main())"
    )
    with serving(identify=asked) as port:
        arguments = ["echoscu", LOOPBACK, port, "--user", "alice", "--password", "-", "--allow-plain-password"]
        with Terminal("-c", code, *arguments) as terminal:
            terminal.until("Password for alice: ")
            terminal.press(f"{SECRET}\n")
            assert terminal.end() == 0
            assert SECRET not in terminal.output
    assert [who.secondary for who in asked.identities] == [SECRET.encode()]


def test_without_a_terminal_there_is_no_prompt() -> None:
    process = running.tool(
        "echoscu", LOOPBACK, 1, "--user", "a", "--password", "-", "--allow-plain-password", start_new_session=True
    )
    assert process.returncode == 2
    assert "there is no terminal to ask for the password; DIMSE_PASSWORD may hold it" in process.stderr


# --- a listener ---


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["echoscp", "storescp"])
def test_only_the_users_of_a_password_file_come_in(name: str, tmp_path: Path) -> None:
    users = password_file(tmp_path, alice=SECRET, bob="other")
    options = ["--password-file", users, "--allow-plain-password", "-v"]
    with listeners.listening(name, *options, *(["-od", tmp_path] if name == "storescp" else [])) as listener:
        alice = ["--user", "alice", "--password", SECRET, "--allow-plain-password", "--positive-response"]
        listener.run("echoscu", *alice)
        for wrong in (
            [],
            ["--user", "alice"],
            ["--user", "alice", "--password", "other", "--allow-plain-password"],
            ["--user", "carol", "--password", SECRET, "--allow-plain-password"],
        ):
            done = listener.run("echoscu", *wrong, exit_status=1)
            assert running.errors_of_request(done) == [
                "Association Rejected",
                "Result: Rejected Permanent, Source: Service User",
                "Reason: No reason given",
            ]
        said = listener.end()
    assert said.count("I: User identity failed verification") == 4
    # They are one notice, which is shown at the default log level: the last line counts those that were not.
    *rejected, last = [line for line in said if "rejected ECHOSCU -> ANY-SCP: " in line]
    assert [line[0] for line in rejected] == ["W", "I", "I", "I"]
    assert last.startswith("W: ") and last.endswith("(and 2 more like it since)")
    assert said.count("I: Rejecting Association") == 4
    assert not any(SECRET in line for line in said)


@pytest.mark.thorough
def test_sighup_reads_the_password_file_again_and_keeps_what_it_had_if_it_cannot(tmp_path: Path) -> None:
    users = password_file(tmp_path, alice=SECRET)
    options = ["--password-file", users, "--allow-plain-password", "-v"]
    bob = ["--user", "bob", "--password", "b", "--allow-plain-password"]
    with listeners.listening("echoscp", *options) as listener:
        listener.run("echoscu", *bob, exit_status=1)
        password_file(tmp_path, bob="b")
        listener.process.send_signal(signal.SIGHUP)
        listener.until("I: Passwords read again")
        listener.run("echoscu", *bob)
        users.write_text("nonsense\n")
        listener.process.send_signal(signal.SIGHUP)
        listener.until("E: the passwords stay as they were")
        assert f"{users}, line 1: " in listener.said[-1]
        listener.run("echoscu", *bob)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("content", "mode", "complaint"),
    [
        ("", 0o640, "others than its owner have access to it: chmod 600"),
        ("", 0o604, "others than its owner have access to it: chmod 600"),
        ("alice:sesame\n", 0o600, "line 1: it is not user:scrypt$N,r,p$salt$hash"),
        ("# me\nalice:md5$1$aa$bb\n", 0o600, "line 2: it is not user:scrypt$N,r,p$salt$hash"),
        (f"alice:{Hash.of(b'a', QUICK)}\n" * 2, 0o600, "line 2: this user has an earlier line"),
        ("alice:scrypt$1048577,8,1$AAAA$" + "A" * 43 + "=\n", 0o600, "line 1: it is not user:scrypt$N,r,p$salt$hash"),
        (f":{Hash.of(b'a', QUICK)}\n", 0o600, "line 1: it is not user:scrypt$N,r,p$salt$hash"),
    ],
)
def test_a_password_file_that_cannot_be_used(content: str, mode: int, complaint: str, tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(content)
    users.chmod(mode)
    process = running.tool("echoscp", "-ba", LOOPBACK, 0, "--password-file", users, "--allow-plain-password")
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(f"echoscp: error: cannot use the password file {users}")
    assert complaint in process.stderr.splitlines()[-1]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--password-file", "missing", "--allow-plain-password"], "missing: No such file or directory"),
        (["--password-file", "missing"], "--password-file makes peers send their passwords: without --tls"),
    ],
)
def test_what_a_listener_does_not_begin_with(options: list[str], complaint: str) -> None:
    process = running.tool("echoscp", "-ba", LOOPBACK, 0, *options)
    assert process.returncode == 2
    assert complaint in process.stderr.splitlines()[-1]


# --- the password file ---


def passwd(*arguments: object, password: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        running.command("passwd", *arguments),
        input=password,
        capture_output=True,
        text=True,
        timeout=running.SECONDS,
        check=False,
    )


def verify(path: Path, user: str, password: str) -> bool:
    return Passwords(str(path)).identify(dimse.UserIdentity(2, user.encode(), password.encode())) == b""


@pytest.mark.thorough
def test_a_password_is_given_changed_and_taken_away(tmp_path: Path) -> None:
    users = tmp_path / "users"
    for user, password in (("alice", "first"), ("bob", SECRET), ("alice", "second")):
        done = passwd(users, user, password=f"{password}\n")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert users.stat().st_mode & 0o777 == 0o600
    assert SECRET not in users.read_text()
    assert verify(users, "alice", "second") and verify(users, "bob", SECRET)
    assert not verify(users, "alice", "first")
    assert passwd("--delete", users, "alice").returncode == 0
    assert not verify(users, "alice", "second") and verify(users, "bob", SECRET)
    assert os.listdir(tmp_path) == ["users"]


def test_a_password_file_may_be_edited_on_windows(tmp_path: Path) -> None:
    users = password_file(tmp_path, alice="a")
    users.write_bytes(b"\xef\xbb\xbf" + users.read_bytes().replace(b"\n", b"\r\n"))
    assert verify(users, "alice", "a")


def test_a_password_may_come_from_a_file_of_windows(tmp_path: Path) -> None:
    users = tmp_path / "users"
    assert passwd(users, "alice", password=f"\ufeff{SECRET}\r\n").returncode == 0
    assert verify(users, "alice", SECRET)


def test_two_users_with_one_password_do_not_have_one_hash() -> None:
    assert Hash.of(b"same", QUICK).key != Hash.of(b"same", QUICK).key


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "password", "status", "complaint"),
    [
        (["F", "alice"], "\n", 1, "the password is empty"),
        (["F", "a:b"], "x\n", 2, "a user name is printable, has no colon"),
        (["F", "#a"], "x\n", 2, "a user name is printable, has no colon"),
        (["--delete", "F", "alice"], "", 1, "No such file or directory"),
        (["no/such/folder", "alice"], "x\n", 1, "No such file or directory"),
    ],
)
def test_a_password_that_cannot_be_given(
    arguments: list[str], password: str, status: int, complaint: str, tmp_path: Path
) -> None:
    done = passwd(*(str(tmp_path / "F") if word == "F" else word for word in arguments), password=password)
    assert done.returncode == status
    assert complaint in done.stderr.splitlines()[-1]
    assert not (tmp_path / "F").exists()


def test_an_unknown_user_cannot_be_removed(tmp_path: Path) -> None:
    users = password_file(tmp_path, alice="a")
    done = passwd("--delete", users, "bob")
    assert (done.returncode, done.stderr) == (1, f"dimse passwd: {users} has no user bob\n")


def test_an_unknown_user_costs_as_much_as_a_known_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dimse.tools import passwords

    costs: list[tuple[int, int, int]] = []
    derive = passwords._derive

    def counted(password: bytes, cost: tuple[int, int, int], salt: bytes) -> bytes:
        costs.append(cost)
        return derive(password, cost, salt)

    known = Passwords(str(password_file(tmp_path, alice="a")))
    nobody = Passwords(str(password_file(tmp_path)))
    monkeypatch.setattr(passwords, "_derive", counted)
    for user in (b"alice", b"mallory"):
        known.identify(dimse.UserIdentity(2, user, b"x"))
    assert costs == [QUICK, QUICK]
    nobody.identify(dimse.UserIdentity(2, b"mallory", b"x"))
    assert costs[2:] == [COST]


def test_the_placeholder_of_an_empty_file_accepts_no_user(tmp_path: Path) -> None:
    users = Passwords(str(password_file(tmp_path)))
    assert users.identify(dimse.UserIdentity(2, b"", b"")) is None

"""TLS on the command line: every tool speaks it, says what is missing, warns of what is not safe, and reads certificates again."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import dimse
from dimse.__main__ import main
from dimse.settings.tls import of_a_requestor
from dimse.tools import tls
from tests.drivers import LOOPBACK, make_instance, serving
from tests.tls import others
from tests.tls.certificates import PASSWORD, Certificates, Identity
from tests.tools import running
from tests.tools.listeners import listening

TOOLS = ("echoscu", "storescu", "echoscp", "storescp")
SCUS, SCPS = TOOLS[:2], TOOLS[2:]
PEER = {"echoscu": (LOOPBACK, 1), "storescu": (LOOPBACK, 1, "a.dcm"), "echoscp": (0,), "storescp": (0,)}


def as_server(certificates: Certificates) -> list[str]:
    """Return the options of a listener that asks for a certificate."""
    return ["--tls", "--tls-cert", certificates.server.pem, "--tls-ca", certificates.ca]


def as_client(certificates: Certificates) -> list[str]:
    """Return the options of a requestor that shows one."""
    return ["--tls", "--tls-cert", certificates.client.pem, "--tls-ca", certificates.ca]


# --- what is asked for ---


@pytest.mark.parametrize(
    ("tools", "options", "words"),
    [
        (TOOLS, ["--tls-ca", "{ca}"], "--tls-ca is for --tls"),
        (TOOLS, ["--tls-info"], "--tls-info is for --tls"),
        (TOOLS, ["--tls-pin", "0" * 64], "--tls-pin is for --tls"),
        (SCUS, ["--tls-insecure"], "--tls-insecure is for --tls"),
        (SCPS, ["--tls-no-client-cert"], "--tls-no-client-cert is for --tls"),
        (TOOLS, ["--tls", "--tls-pin", "abc"], "argument --tls-pin: a pin is the SHA-256 of a certificate"),
        (TOOLS, ["--tls", "--tls-profile", "basic"], "argument --tls-profile: invalid choice: 'basic'"),
        (
            TOOLS,
            ["--tls", "--tls-cert", "{server}", "--tls-ca", "no.pem"],
            "cannot use TLS: no.pem: No such file or directory",
        ),
        (TOOLS, ["--tls", "--tls-cert", "{ca}"], "cannot use TLS: {ca}: there is no private key in it in PEM form"),
        (
            TOOLS,
            ["--tls", "--tls-cert", "{open}"],
            "cannot use TLS: {open}: others than its owner may read the private key",
        ),
        (SCUS, ["--tls", "--tls-insecure", "--tls-ca", "{ca}"], "--tls-insecure verifies nothing"),
        (SCPS, ["--tls"], "--tls needs --tls-cert: a server shows a certificate of its own"),
    ],
)
def test_what_cannot_be_is_wrong_usage(
    certificates: Certificates,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tools: tuple[str, ...],
    options: list[str],
    words: str,
) -> None:
    readable = tmp_path / "open.pem"
    readable.write_bytes(Path(certificates.server.pem).read_bytes())
    readable.chmod(0o644)
    files = {"ca": certificates.ca, "server": certificates.server.pem, "open": str(readable)}
    for tool in tools:
        with pytest.raises(SystemExit) as left:
            main([tool, *map(str, PEER[tool]), *(option.format(**files) for option in options)])
        assert left.value.code == 2
        assert f"{tool}: error: {words.format(**files)}" in capsys.readouterr().err


def test_a_report_of_commitment_is_taken_over_tls_too(
    certificates: Certificates, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--verify", "--commit-port", "0", "--tls", "--tls-ca", certificates.ca]
    with pytest.raises(SystemExit):
        main(["storescu", LOOPBACK, "1", "a.dcm", *options])
    assert "--commit-port with --tls needs --tls-cert" in capsys.readouterr().err


# --- what is done ---


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 2])
def test_files_are_sent_and_kept_over_tls(certificates: Certificates, tmp_path: Path, workers: int) -> None:
    instance, kept = make_instance(tmp_path, pixels=100_000), tmp_path / "kept"
    kept.mkdir()
    options = ["-od", kept, "--layout", "{SOPInstanceUID}", "--workers", workers, "--tls-info"]
    with listening("storescp", *options, *as_server(certificates)) as listener:
        listener.run("echoscu", *as_client(certificates))
        done = listener.run("storescu", instance.path, "--tls-info", *as_client(certificates))
        said = listener.end()
    assert [path.read_bytes().endswith(instance.data_set) for path in kept.iterdir()] == [True]
    (line,) = running.lines(done, "I")
    assert line.startswith(
        f"TLS with {LOOPBACK}:{listener.port}: TLSv1.3, TLS_AES_256_GCM_SHA384, peer's certificate: "
    )
    assert line.endswith(f", SHA-256 {certificates.server.sha256.replace(':', '').lower()}")
    assert len([line for line in said if line.startswith(f"I: TLS with {LOOPBACK}:")]) == 2


@pytest.mark.thorough
def test_commitment_is_reported_over_tls(certificates: Certificates, tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    with serving(
        "threads", dimse.Handlers(store=lambda request: 0), tls=dimse.TLS(certificates.server.pem, ca=certificates.ca)
    ) as port:
        options = ["--verify", "--commit-port", 0, "--commit-timeout", 0.1, *as_client(certificates)]
        done = running.tool("storescu", LOOPBACK, port, instance.path, *options)
    assert done.returncode == 3  # this peer knows no Storage Commitment
    assert "Storage commitment failed" in done.stderr


@pytest.mark.thorough
def test_what_is_not_safe_is_warned_of_at_every_run(certificates: Certificates) -> None:
    anybody = ["--tls", "--tls-cert", certificates.server.pem, "--tls-no-client-cert"]
    with listening("echoscp", "-ll", "critical", *anybody) as listener:
        done = listener.run("echoscu", "-ll", "critical", "--tls", "--tls-insecure")
        (line,) = running.lines(done, "W")
        assert line.startswith("--tls-insecure: the peer's certificate is not verified")
        assert listener.run("echoscu", "-q", "--tls", "--tls-insecure").stderr == ""
        (line,) = listener.end()
        assert line.startswith("W: --tls-no-client-cert: every client that reaches this port may connect")
    with listening("echoscp", "--tls", "--tls-cert", certificates.server.pem) as listener:
        (line,) = listener.end()
        assert line.startswith("W: no --tls-ca: clients may have their certificate from any CA")


@pytest.mark.thorough
def test_a_pin_and_a_name_on_the_command_line(certificates: Certificates) -> None:
    named = certificates.by_trustme("named", "pacs.example.org")
    options = ["--tls", "--tls-cert", named.pem, "--tls-ca", certificates.ca]
    me = ["--tls", "--tls-cert", certificates.client.pem]
    with listening("echoscp", *options) as listener:
        listener.run("echoscu", *me, "--tls-pin", named.sha256)
        listener.run("echoscu", *me, "--tls-ca", certificates.ca, "--tls-server-name", "pacs.example.org")
        wrong = listener.run("echoscu", *me, "--tls-ca", certificates.ca, exit_status=1)
        assert running.errors_of_request(wrong) == [
            "Association request failed: TLS handshake failed: the peer's certificate is not for 127.0.0.1:"
            " connect to the name that it is for, or say that name (--tls-server-name)"
        ]
        wrong = listener.run("echoscu", *me, "--tls-pin", certificates.client.sha256, exit_status=1)
        assert "the peer's certificate is not the one that is pinned: its SHA-256 is " in running.errors(wrong)[0]
        listener.end()


@pytest.mark.thorough
def test_the_password_of_a_key_comes_from_the_environment_and_is_never_said(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = certificates.encrypted_key(certificates.server)
    options = ["--tls", "--tls-cert", certificates.server.certificate, "--tls-key", key, "--tls-ca", certificates.ca]
    monkeypatch.delenv("DIMSE_TLS_PASSWORD", raising=False)
    without = running.tool("echoscp", 0, "-ba", LOOPBACK, *options)
    assert without.returncode == 2
    assert without.stderr.endswith(
        f"cannot use TLS: {key}: the private key is encrypted, and its password is not given (DIMSE_TLS_PASSWORD)\n"
    )
    monkeypatch.setenv("DIMSE_TLS_PASSWORD", "another " + PASSWORD)
    wrong = running.tool("echoscp", 0, "-ba", LOOPBACK, *options)
    assert wrong.returncode == 2
    assert "the password is wrong" in wrong.stderr
    assert PASSWORD not in wrong.stderr
    monkeypatch.setenv("DIMSE_TLS_PASSWORD", PASSWORD)
    with listening("echoscp", "-d", *options) as listener:
        listener.run("echoscu", *as_client(certificates))
        assert not any(PASSWORD in line for line in listener.end())


# --- read again ---


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", SCPS)
def test_certificates_are_read_again_on_sighup_and_associations_stay(tmp_path: Path, name: str, workers: int) -> None:
    certificates = Certificates(tmp_path)
    path, second = Path(certificates.server.pem), certificates.by_trustme("second")
    client = dimse.TLS(certificates.client.pem, ca=certificates.ca)
    folder = ["-od", tmp_path] if name == "storescp" else []
    with listening(name, "-v", *folder, "--workers", workers, *as_server(certificates)) as listener:
        with listener.associate(tls=client) as association:
            path.write_bytes(Path(second.pem).read_bytes())
            listener.process.send_signal(signal.SIGHUP)
            for _ in range(workers):
                listener.until("I: Certificates read again")
            with listener.associate(tls=client) as other:
                assert other.tls is not None
                assert other.tls.certificate is not None
                assert other.tls.certificate.sha256 == second.sha256.replace(":", "").lower()
            path.write_text("no certificate any more")
            listener.process.send_signal(signal.SIGHUP)
            for _ in range(workers):
                listener.until(f"E: the certificates stay as they were: {path}: there is no certificate in it")
            assert listener.echo(tls=client).is_success
            assert association.echo().is_success
        listener.end()


@pytest.mark.thorough
def test_without_tls_a_hang_up_ends_a_listener_as_it_always_did() -> None:
    with listening("echoscp") as listener:
        listener.process.send_signal(signal.SIGHUP)
        assert listener.process.wait(running.SECONDS) == -signal.SIGHUP


# --- hints ---


def test_every_argument_of_tls_has_a_name_on_the_command_line() -> None:
    arguments = set(dimse.TLS.__annotations__) - {"named"}
    assert set(tls.NAMES) == arguments
    options = {option for tool in TOOLS for option in options_of(tool)}
    assert {name for name in tls.NAMES.values() if name.startswith("--")} <= options


def options_of(tool: str) -> set[str]:
    """Return the options that a tool's help lists."""
    return set(re.findall(r"--[a-z-]+", running.tool(tool, "--help").stdout))


@pytest.mark.parametrize(
    ("make", "hints"),
    [
        (lambda all: all.made("alone", self_signed=True), ("ca", "pin")),
        (lambda all: all.by_trustme("far", authority=all.stranger), ("ca",)),
        (lambda all: all.by_trustme("elsewhere", "pacs.example.org"), ("server_name",)),
    ],
    ids=["self-signed", "of another CA", "for another host"],
)
def test_a_hint_names_what_its_reader_can_use(
    certificates: Certificates, make: Callable[[Certificates], Identity], hints: tuple[str, ...]
) -> None:
    with others.server("ours", make(certificates), certificates) as server:
        done = running.tool("echoscu", LOOPBACK, server.port, "--tls", "--tls-ca", certificates.ca)
        with pytest.raises(dimse.TLSError) as raised:
            trusting = dimse.TLS(ca=certificates.ca)
            dimse.associate(LOOPBACK, server.port, contexts=[dimse.Verification], tls=trusting)
    (line,) = running.errors_of_request(done)
    for hint in hints:
        assert f"({tls.NAMES[hint]})" in line
        assert f"(dimse.TLS({hint}=...))" in str(raised.value)
    assert "dimse.TLS" not in line
    assert "--tls" not in str(raised.value)


def test_a_server_names_its_options_in_its_log(certificates: Certificates) -> None:
    stranger = certificates.by_trustme("stranger", authority=certificates.stranger)
    with listening("echoscp", *as_server(certificates)) as listener:
        me = ["--tls", "--tls-cert", stranger.pem, "--tls-ca", certificates.ca]
        listener.run("echoscu", *me, exit_status=1)
        said = listener.end()
    (line,) = [line for line in said if line.startswith("E:")]
    assert line.endswith("is signed by a CA that is not trusted: if it should be, name the CA's certificate (--tls-ca)")


def test_a_key_without_its_password_is_told_with_how_to_give_it(certificates: Certificates) -> None:
    key = certificates.encrypted_key(certificates.client)
    options = ["--tls", "--tls-cert", certificates.client.certificate, "--tls-key", key]
    done = running.tool("echoscu", LOOPBACK, 104, *options)
    assert done.returncode == 2
    assert "its password is not given (DIMSE_TLS_PASSWORD)" in done.stderr
    with pytest.raises(dimse.TLSConfigurationError, match=r"\(dimse.TLS\(password=...\)\)"):
        of_a_requestor(dimse.TLS(certificates.client.certificate, key))

"""--also-port: a tool that listens on several ports, plain and by TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

import dimse
from dimse.__main__ import main
from tests.interop import ours
from tests.tls.certificates import Certificates
from tests.tools import running
from tests.tools.listeners import listening


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a CA, and its certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def port_of(where: str) -> int:
    return int(where.rpartition(":")[2])


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_each_port_takes_instances_into_the_same_folder(
    certificates: Certificates, tmp_path: Path, workers: int
) -> None:
    folder, images = tmp_path / "in", [running.Instance(f"1.2.{n}").write(tmp_path / f"{n}.dcm") for n in range(3)]
    tls = ["--tls-cert", certificates.server.pem, "--tls-ca", certificates.ca]
    ours_tls = ["--tls", "--tls-cert", certificates.client.pem, "--tls-ca", certificates.ca]
    options = ["-v", "-od", folder, "--workers", workers, *tls, "--also-port", "0", "--also-port", "0,tls"]
    with listening("storescp", *options) as listener:
        plain, secured = map(port_of, listener.also)
        for port, words, image in zip((listener.port, plain, secured), ([], [], ours_tls), images, strict=True):
            done = running.tool("storescu", "127.0.0.1", port, *words, image)
            assert (done.returncode, done.stderr) == (0, "")
        said = listener.end()
    assert len([path for path in folder.iterdir() if path.is_file()]) == 3
    assert said.count(f"I: Listening on {listener.where}") == 1
    assert f"I: Listening on {listener.also[0]} too, without TLS" in said
    assert f"I: Listening on {listener.also[1]} too, with TLS" in said


def test_a_plain_port_beside_one_with_tls(certificates: Certificates) -> None:
    tls = ["--tls", "--tls-cert", certificates.server.pem, "--tls-ca", certificates.ca]
    with listening("echoscp", *tls, "--also-port", "0") as listener:
        done = running.tool("echoscu", "127.0.0.1", port_of(listener.also[0]))
        assert (done.returncode, done.stderr) == (0, "")
        assert running.tool("echoscu", "127.0.0.1", listener.port).returncode == 1


def test_limits_and_names_are_for_all_ports() -> None:
    options = ["--also-port", "0", "--max-associations", 1, "--allow-calling", "CT1"]
    with listening("echoscp", *options) as listener:
        also = ("127.0.0.1", port_of(listener.also[0]))
        for title, reason in (("CT1", "Local limit exceeded"), ("CT2", "Calling AE title not recognised")):
            with (
                listener.associate(calling_ae_title="CT1"),
                pytest.raises(dimse.AssociationRejected, match=reason),
            ):
                dimse.associate(
                    *also, contexts=[dimse.Verification], calling_ae_title=title, timeouts=ours.TIMEOUTS
                ).abort()


def test_a_plain_port_takes_passwords_on_request_only(
    certificates: Certificates, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    users = tmp_path / "users"
    users.touch(0o600)
    tls = ["--tls", "--tls-cert", certificates.server.pem, "--tls-ca", certificates.ca, "--password-file", str(users)]
    with pytest.raises(SystemExit) as left:
        main(["echoscp", "0", *tls, "--also-port", "11112"])
    assert left.value.code == 2
    assert "passwords, to the plain --also-port 11112 too: a machine in between can" in capsys.readouterr().err
    with listening("echoscp", *tls, "--also-port", "0", "--allow-plain-password") as listener:
        assert any("--allow-plain-password" in line for line in listener.end())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--also-port", "x"], "argument --also-port: 'x' is not a number"),
        (["--also-port", "1,ssl"], "argument --also-port: '1,ssl' is neither PORT nor PORT,tls"),
        (["--also-port", "70000"], "argument --also-port: 70000 is not 0 to 65535"),
        (["--also-port", "11112"], "--also-port names a port that is listened on already"),
        (["--also-port", "1", "--also-port", "1,tls", "--tls-cert", "x"], "is listened on already"),
        (["--also-port", "2762,tls"], "needs --tls-cert: a server shows a certificate of its own"),
    ],
)
def test_options_that_cannot_be_are_wrong_usage(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    for tool in ("echoscp", "storescp"):
        with pytest.raises(SystemExit) as left:
            main([tool, "11112", *options])
        assert left.value.code == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_that_is_in_use_is_named(workers: int) -> None:
    with dimse.Server(("127.0.0.1", 0)) as server:
        port = server.address[1]
        options = ["-ba", "127.0.0.1", "--workers", workers, "--also-port", port, 0]
        done = running.tool("echoscp", *options)
    assert done.returncode == 1
    assert running.errors(done) == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]

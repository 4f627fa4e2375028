"""`dimse certificate`: a CA and its certificates, as openssl, Python's ssl and DCMTK take them."""

from __future__ import annotations

import datetime
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from tests.interop import peers
from tests.tls.certificates import DAY, NOW, Certificates, openssl
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Instance

SOON = 10  # days


def certificate(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = running.tool("certificate", *arguments)
    assert done.returncode == status, done.stderr
    return done


def refused(*arguments: object, status: int = 3) -> str:
    """Return the only line of a command that fails."""
    done = certificate(*arguments, status=status)
    assert done.stdout == ""
    return done.stderr.splitlines()[-1].removeprefix("dimse certificate: ")


def parsed(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a CA and two certificates of this machine."""
    made = tmp_path_factory.mktemp("certificates") / "tls"
    certificate("ca", made)
    certificate("issue", made, "archive")
    certificate("issue", made, "ct1", "--host", "localhost")
    return made


def options(folder: Path, name: str) -> list[object]:
    """Return the options of a tool that shows the certificate of this name."""
    return [
        "--tls",
        "--tls-cert",
        folder / f"{name}.pem",
        "--tls-key",
        folder / f"{name}.key",
        "--tls-ca",
        folder / "ca.pem",
    ]


# --- what is made ---


def test_only_the_owner_may_read_the_keys(folder: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert {name: mode for name, mode in modes.items() if not name.endswith(".pem")} == {
        "tls": 0o700,
        **dict.fromkeys(("ca.key", "archive.key", "ct1.key"), 0o600),
    }
    assert set(modes) == {"tls", *(f"{name}.{end}" for name in ("ca", "archive", "ct1") for end in ("pem", "key"))}


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_verifies_it_strictly(folder: Path, purpose: str) -> None:
    strictly = ("-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile", str(folder / "ca.pem"))
    path = str(folder / "archive.pem")
    assert openssl("verify", *strictly, "-verify_hostname", "localhost", path) == f"{path}: OK\n"
    assert openssl("verify", *strictly, "-verify_ip", "::1", path) == f"{path}: OK\n"


def test_python_verifies_it_strictly_on_both_sides(folder: Path) -> None:
    sides = []
    for protocol, name in ((ssl.PROTOCOL_TLS_SERVER, "archive"), (ssl.PROTOCOL_TLS_CLIENT, "ct1")):
        context = ssl.SSLContext(protocol)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_verify_locations(folder / "ca.pem")
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        sides.append(context)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = sides[0].wrap_bio(to_server, to_client, server_side=True)
    client = sides[1].wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    for side, name in ((client, "archive"), (server, "ct1")):
        shown = side.getpeercert(binary_form=True)
        assert shown is not None
        assert x509.load_der_x509_certificate(shown) == parsed(folder / f"{name}.pem")


def test_it_is_valid_since_a_few_minutes_before(folder: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for name, days in (("ca", 3650), ("archive", 730)):
        made = parsed(folder / f"{name}.pem")
        assert datetime.timedelta(minutes=4) < now - made.not_valid_before_utc < datetime.timedelta(minutes=15)
        assert made.not_valid_after_utc - made.not_valid_before_utc == datetime.timedelta(days=days, minutes=5)


def test_the_hosts_are_those_that_are_asked_for(tmp_path: Path) -> None:
    certificate("ca", tmp_path, "--name", "Hospital")
    hosts = ("pacs.example.org", "*.example.org", "10.1.2.3", "2001:db8::1", "müller.example.org")
    certificate("issue", tmp_path, "pacs", *(word for host in hosts for word in ("--host", host)), "--days", 3)
    shown = certificate("show", tmp_path / "pacs.pem")
    assert "Certificate: CN=pacs\nIssued by:   CN=Hospital\n" in shown.stdout
    assert (
        "For hosts:   pacs.example.org, *.example.org, 10.1.2.3, 2001:db8::1, xn--mller-kva.example.org\n"
        in shown.stdout
    )


def test_it_does_not_outlive_its_ca(tmp_path: Path) -> None:
    certificate("ca", tmp_path, "--days", 5)
    done = certificate("issue", tmp_path, "pacs")
    assert parsed(tmp_path / "pacs.pem").not_valid_after_utc == parsed(tmp_path / "ca.pem").not_valid_after_utc
    assert done.stderr.startswith(f"W: {tmp_path}/ca.pem ends on ")


def test_a_ca_made_by_others_issues_too(tmp_path: Path) -> None:
    name = ("-subj", "/O=Hospital/CN=Root", "-addext", "keyUsage=critical,keyCertSign", "-days", "99")
    openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-noenc",
        *name,
        "-keyout",
        f"{tmp_path}/ca.key",
        "-out",
        f"{tmp_path}/ca.pem",
    )
    (tmp_path / "ca.key").chmod(0o600)
    certificate("issue", tmp_path, "pacs")
    assert openssl("verify", "-x509_strict", "-CAfile", f"{tmp_path}/ca.pem", f"{tmp_path}/pacs.pem").endswith(": OK\n")
    assert "Issued by:   O=Hospital, CN=Root\n" in certificate("show", tmp_path / "pacs.pem").stdout


# --- what is printed ---


def test_the_last_lines_say_what_to_type_next(tmp_path: Path) -> None:
    folder = tmp_path / "my tls"
    assert certificate("ca", folder).stdout.splitlines()[-1] == f"  dimse certificate issue '{folder}' NAME --host HOST"
    done = certificate("issue", folder, "pacs", "--host", "127.0.0.1")
    tls = " ".join(
        f"--tls-{name} '{folder}/{file}'"
        for name, file in (("cert", "pacs.pem"), ("key", "pacs.key"), ("ca", "ca.pem"))
    )
    assert done.stdout.splitlines()[-4:] == [
        "Next, to receive with it:",
        f"  storescp 2762 -od incoming --tls {tls}",
        "or to send with it:",
        f"  storescu 127.0.0.1 2762 image.dcm --tls {tls}",
    ]
    assert "It is for 127.0.0.1\n" in done.stdout


def test_the_names_by_default_are_said(tmp_path: Path) -> None:
    certificate("ca", tmp_path)
    assert "It is for localhost, 127.0.0.1, ::1" in certificate("issue", tmp_path, "pacs").stdout


@pytest.mark.parametrize(("days", "warned"), [(SOON, True), (60, False)])
def test_a_certificate_that_ends_soon_is_warned_of(tmp_path: Path, days: int, warned: bool) -> None:
    certificate("ca", tmp_path)
    certificate("issue", tmp_path, "pacs", "--days", days)
    done = certificate("show", tmp_path / "pacs.pem")
    assert done.stderr.startswith(f"W: {tmp_path}/pacs.pem: CN=pacs: it ends in {days - 1} days: ") == warned
    assert bool(done.stderr) == warned


def test_a_certificate_that_has_expired_is_an_exit_status(tmp_path: Path) -> None:
    old = Certificates(tmp_path).made("old", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
    done = certificate("show", old.certificate, status=3)
    assert done.stderr == f"E: {old.certificate}: CN=old: it has expired\n"
    early = Certificates(tmp_path).made("early", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
    assert "CN=early: it is not valid before " in certificate("show", early.certificate, status=3).stderr


# --- what is refused ---


@pytest.mark.parametrize("left", ["ca.pem", "ca.key"])
def test_a_ca_is_never_overwritten(tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_text("kept")
    assert refused("ca", tmp_path) == f"{tmp_path}/{left} exists, and is not overwritten"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


def test_a_certificate_is_overwritten_by_force_only(tmp_path: Path) -> None:
    certificate("ca", tmp_path)
    certificate("issue", tmp_path, "pacs")
    before = (tmp_path / "pacs.pem").read_bytes(), (tmp_path / "pacs.key").read_bytes()
    assert refused("issue", tmp_path, "pacs") == f"{tmp_path}/pacs.pem exists, and is not overwritten (--force)"
    assert ((tmp_path / "pacs.pem").read_bytes(), (tmp_path / "pacs.key").read_bytes()) == before
    certificate("issue", tmp_path, "pacs", "--force")
    assert (tmp_path / "pacs.key").read_bytes() != before[1]
    assert parsed(tmp_path / "pacs.pem").serial_number != x509.load_pem_x509_certificate(before[0]).serial_number
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["issue", "F"], "issue needs FOLDER and NAME"),
        (["issue", "F", "ca"], "argument NAME: the files named ca are those of the CA"),
        (["issue", "F", "../pacs"], "argument NAME: the name of a certificate is that of its files"),
        (["issue", "F", "-x"], "unknown option '-x'"),
        (["issue", "F", "pacs", "--name", "x"], "--name is not for issue"),
        (
            ["issue", "F", "pacs", "--host", "a b"],
            "argument --host: it is neither a host name nor an IP address: 'a b'",
        ),
        (["issue", "F", "pacs", "--host", "10.1.2"], "argument --host: it is neither a host name nor an IP address"),
        (["issue", "F", "pacs", "--days", "0"], "argument --days: 0 is not 1 to 36500"),
        (["ca", "F", "pacs"], "NAME is not for ca"),
        (["ca", "F", "--force"], "--force is not for ca"),
        (["ca", "F", "--name", "x" * 65], "argument --name: a name has 1 to 64 printable characters"),
        (["show", "F", "--days", "1"], "--days is not for show"),
        (["make", "F"], "argument action: invalid choice: 'make'"),
    ],
)
def test_what_cannot_be_is_wrong_usage(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    words = (str(tmp_path / "F") if word == "F" else word for word in arguments)
    assert refused(*words, status=2).startswith(f"error: {complaint}")
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_ca_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    assert refused("issue", tmp_path, "pacs").startswith(
        f"{tmp_path} has no ca.pem: make a CA with dimse certificate ca "
    )
    certificate("ca", tmp_path)
    key, other = tmp_path / "ca.key", tmp_path / "other"
    key.chmod(0o644)
    assert refused("issue", tmp_path, "pacs") == f"{key}: others than its owner have access to it: chmod 600"
    certificate("ca", other)
    (other / "ca.key").replace(key)
    assert refused("issue", tmp_path, "pacs") == f"{key}: it does not belong to {tmp_path}/ca.pem"
    key.write_text("nothing")
    assert refused("issue", tmp_path, "pacs") == f"{key}: there is no private key in it in PEM form"
    key.unlink()
    assert refused("issue", tmp_path, "pacs") == f"{key}: No such file or directory"
    assert refused("show", tmp_path / "ca.key") == f"{key}: No such file or directory"


def test_without_cryptography_a_line_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['cryptography'] = None; from dimse.__main__ import dimse; dimse()"
    done = running.run(sys.executable, "-c", hidden, "certificate", "ca", str(tmp_path / "tls"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dimse certificate: the package cryptography is missing: pip install 'dimse[certificates]'\n"
    assert list(tmp_path.iterdir()) == []


def test_the_help_has_examples() -> None:
    assert "  dimse certificate issue tls archive --host pacs.example.org  " in certificate("--help").stdout


# --- end to end ---


def test_storescu_sends_to_storescp_with_certificates_on_both_sides(folder: Path, tmp_path: Path) -> None:
    path = Instance("1.2.3").write(tmp_path / "image.dcm")
    with listening("storescp", "-od", tmp_path / "incoming", *options(folder, "archive")) as listener:
        listener.run("storescu", path, *options(folder, "ct1"))
        done = listener.run("storescu", path, "--tls", "--tls-ca", folder / "ca.pem", exit_status=1)
    assert "certificate" in done.stderr
    assert (tmp_path / "incoming" / "SC.1.2.3").is_file()


def test_dcmtk_sends_to_storescp_with_certificates_on_both_sides(folder: Path, tmp_path: Path) -> None:
    path = Instance("1.2.3").write(tmp_path / "image.dcm")
    with listening("storescp", "-od", tmp_path / "incoming", *options(folder, "archive")) as listener:
        certificates = (folder / "ct1.key", folder / "ct1.pem", "+cf", folder / "ca.pem")
        done = running.run(
            peers.dcmtk("storescu"), "+tls", *map(str, certificates), listener.host, str(listener.port), str(path)
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "incoming" / "SC.1.2.3").is_file()

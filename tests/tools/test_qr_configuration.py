"""The configuration file of qrscp: another implementation's file is read unchanged, and what is not known is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dimse.archive.peers import OPEN_RIGHTS, RIGHTS, KnownPeer
from dimse.tools import qr_configuration
from tests.interop import peers

OURS = """
# A comment
[DEFAULT]
    ae_title: ARCHIVE
    port = 104
    max_pdu: 0
    bind_address:
    log_identifier: no
    transcode: lossless
    allow: echo, store

[VIEWER 1]
    address: 10.1.2.3
    port: 11112
    allow: echo find move
    move_to: VIEWER 1, OTHER
    from: 10.1.0.0/16, fd00::/8
    max_matches: 50
    charset: ISO_IR 100
    commit_wait: 0.5

[CT%1]
    from: 10.2.0.0/16
    allow: none

[default]
    allow: echo
"""

PIN = "ab" * 32


def written(folder: Path, text: str) -> str:
    path = folder / "archive.ini"
    path.write_text(text)
    return str(path)


def test_the_file_of_the_page_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "archive.md").read_text()
    text = page.partition("```ini\n")[2].partition("```")[0]
    assert qr_configuration.read(written(tmp_path, text)).general["ae_title"] == "ARCHIVE"


def test_the_file_that_comes_with_pynetdicom_is_read_unchanged() -> None:
    python = peers.pynetdicom()
    script = "import pynetdicom.apps.qrscp as qrscp; print(*qrscp.__path__)"
    folder = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    found = qr_configuration.read(f"{folder}/default.ini")
    assert found.general == {
        "ae_title": "QRSCP",
        "port": 11112,
        "max_pdu": 16382,
        "acse_timeout": 30,
        "dimse_timeout": 30,
        "network_timeout": 30,
        "output_directory": "instances",
        "database_location": "instances.sqlite",
        "log_identifier": True,
    }
    assert found.peers == qr_configuration.BUILT_IN
    assert found.strangers == KnownPeer("") and not found.names_strangers


def test_a_peer_inherits_what_the_general_section_says_of_peers(tmp_path: Path) -> None:
    found = qr_configuration.read(written(tmp_path, OURS))
    general = {"ae_title": "ARCHIVE", "port": 104, "max_pdu": 0, "log_identifier": False, "transcode": "lossless"}
    assert found.general == general
    viewer, scanner = found.peers
    assert viewer == KnownPeer(
        "VIEWER 1",
        "10.1.2.3",
        11112,
        allow=frozenset(("echo", "find", "move")),
        move_to=frozenset(("VIEWER 1", "OTHER")),
        networks=("10.1.0.0/16", "fd00::/8"),
        max_matches=50,
        charset="ISO_IR 100",
        commit_wait=0.5,
    )
    assert scanner == KnownPeer("CT%1", allow=frozenset(), networks=("10.2.0.0/16",))
    assert found.strangers == KnownPeer("", allow=frozenset(("echo",)))


@pytest.mark.parametrize(
    ("text", "needs_tls", "pins"),
    [("yes", True, set()), ("no", False, set()), (f"{PIN}, {PIN.upper()}", True, {PIN})],
)
def test_tls_is_a_word_or_the_certificates_of_the_peer(
    tmp_path: Path, text: str, needs_tls: bool, pins: set[str]
) -> None:
    (peer,) = qr_configuration.read(written(tmp_path, f"[A]\naddress: ::1\nport: 1\ntls: {text}")).peers
    assert (peer.needs_tls, set(peer.pins)) == (needs_tls, pins)


def test_a_peer_without_a_port_has_that_of_the_general_section(tmp_path: Path) -> None:
    (peer,) = qr_configuration.read(written(tmp_path, "[DEFAULT]\nport: 104\n[A]\naddress: ::1\n")).peers
    assert peer.port == 104


# The text, and the words about it.
WRONG = [
    ("[DEFAULT]\nae_titel: X", "[DEFAULT] has an unknown key, ae_titel: did you mean ae_title?"),
    ("[A]\nlog_identifier: yes", "[A] has an unknown key, log_identifier"),
    ("[default]\naddress: ::1", "[default] has an unknown key, address"),
    ("[A]\naddress: ::1", "[A] has an address and no port"),
    ("[A]\naddress: ::1\nport: 0", "[A] port: 0 is not 1 to 65535"),
    ("[A]\nport: x", "[A] port: 'x' is not a number"),
    ("[A]\nallow: print", "[A] allow: 'print' is not one of all, none, "),
    ("[A]\nfrom: 10.1.2.3/8", "[A] from: 10.1.2.3/8 has host bits set"),
    ("[A]\ntls: perhaps", "[A] tls: "),
    ("[A]\ncharset: LATIN9", "[A] charset: 'LATIN9' is not a Specific Character Set"),
    ("[A]\ntranscode: some", "[A] transcode: 'some' is not never, lossless or always"),
    ("[A]\nmove_jobs: 0", "[A] move_jobs: 0 is not 1 to 64"),
    ("[AN AE TITLE OF 18 C]\nallow: echo", "an AE title has 1 to 16 characters"),
    ("[A]\n[A]\n", "it is not an INI file: "),
    ("x", "it is not an INI file: line 1 is in no section, such as [DEFAULT]"),
    ("[DEFAULT]\nport: abc\n", "[DEFAULT] port: 'abc' is not a number"),
    ("[DEFAULT]\nmax_pdu: 1 k\n", "[DEFAULT] max_pdu: '1 k' is not a number"),
    ("[DEFAULT]\nlog_identifier: maybe", "[DEFAULT] log_identifier: 'maybe' is neither yes nor no"),
    ("[DEFAULT]\ndigest: md5", "[DEFAULT] digest: 'md5' is not sha256 or none"),
    ("[DEFAULT]\nmax_pdu: 12", "[DEFAULT] max_pdu: the maximum length is"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_what_is_not_known_or_not_valid_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        qr_configuration.read(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(path)


def test_a_file_that_is_missing_or_huge_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        qr_configuration.read(str(tmp_path / "missing.ini"))
    with pytest.raises(ValueError, match="more than"):
        qr_configuration.read(written(tmp_path, "#" * (qr_configuration.LARGEST + 1)))


def test_a_host_name_calls_from_its_addresses(tmp_path: Path) -> None:
    (peer,) = qr_configuration.read(written(tmp_path, "[A]\naddress: localhost\nport: 1\n")).peers
    assert {"127.0.0.1", "::1"}.intersection(qr_configuration.resolved(peer).networks)


def test_a_host_name_that_is_unknown_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (peer,) = qr_configuration.read(written(tmp_path, "[A]\naddress: a..b\nport: 1\n")).peers
    assert qr_configuration.resolved(peer) == peer
    assert "the peer A has no rights: cannot find the address of a..b" in caplog.text


def test_strangers_may_query_only_where_they_are_trusted(tmp_path: Path) -> None:
    def strangers(text: str, *, trusted: bool) -> KnownPeer:
        return qr_configuration.strangers_of(qr_configuration.read(written(tmp_path, text)), trusted=trusted)

    assert strangers("", trusted=True).allow == RIGHTS
    assert strangers("", trusted=False).allow == OPEN_RIGHTS
    assert strangers("[DEFAULT]\nallow: find, echo\ncharset: ISO_IR 100", trusted=True) == KnownPeer(
        "", allow=frozenset(("find", "echo")), charset="ISO_IR 100"
    )
    assert strangers("[DEFAULT]\nallow: find, echo", trusted=False).allow == {"echo"}
    assert strangers("[default]\nallow: store find", trusted=True).allow == {"store", "find"}
    assert strangers("[default]\nallow: store", trusted=False).allow == {"store"}
    with pytest.raises(ValueError, match="allows find to every AE, which needs --allow-anyone"):
        strangers("[default]\nallow: store find", trusted=False)

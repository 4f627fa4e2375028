"""Every option of a server x every hostile connection: C-ECHO is answered afterwards.

The options are those of the parsers of echoscp and storescp, and the arguments of `dimse.Server` and `dimse.aio.Server`. A new one
has to be given a value here.
"""

from __future__ import annotations

import inspect
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.serving.reception import Reception
from dimse.tools import echoscp, storescp
from dimse.tools.command_line import Parser
from tests.drivers import LOOPBACK, Face, on_both_faces, serving
from tests.hostile_scu import associate_rq
from tests.tls.certificates import Certificates
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.test_identity import password_file

# Seconds for which a silent connection may stay, unless the option is about that.
SHORT = 0.1
TIMES = 10  # connections of each kind
REQUEST = associate_rq()
CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(100)


def connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=running.SECONDS)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_at_once(port: int) -> None:
    for _ in range(TIMES):
        reset(connect(port))


def reset_within(port: int) -> None:
    """Reset in the TLS handshake, or in the first PDU."""
    for beginning in (CLIENT_HELLO, REQUEST[:100], REQUEST):
        for length in (1, len(beginning)):
            connection = connect(port)
            with suppress(OSError):
                connection.sendall(beginning[:length])
            reset(connection)


def half_a_pdu(port: int) -> None:
    """Half a request and the end, and half a message behind a request."""
    for said in (REQUEST[:1], REQUEST[:100], REQUEST + b"\4\0\0\0\1\0abc", REQUEST + b"\7\0\0\0\0\4\0"):
        with connect(port) as connection, suppress(OSError):
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)


def silence(port: int) -> None:
    """Say nothing, and half a request, until the server closes, if that is soon."""
    with ExitStack() as stack:
        silent = [stack.enter_context(connect(port)) for _ in range(3)]
        for connection, said in zip(silent, (b"", REQUEST[:50], CLIENT_HELLO[:20]), strict=True):
            with suppress(OSError):
                connection.sendall(said)
        for connection in silent:
            with suppress(OSError):
                connection.settimeout(2 * SHORT)
                connection.recv(1)


def garbage(port: int) -> None:
    """Say what is no DICOM."""
    for said in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 5000,
        bytes(5000),
        b"\1\0\xff\xff\xff\xff" + bytes(10),
        CLIENT_HELLO,
    ):
        with connect(port) as connection, suppress(OSError):
            connection.sendall(said)
            connection.settimeout(SHORT)
            connection.recv(1)


HOSTILE: tuple[Callable[[int], None], ...] = (reset_at_once, reset_within, half_a_pdu, silence, garbage)


def suffer(port: int, security: Any = None, **client: Any) -> None:
    """Have each kind of hostile connection come, and a C-ECHO answered after each."""
    for come in HOSTILE:
        come(port)
        assert echoes(port, security, **client), f"after {come.__name__}"


def echoes(port: int, security: Any, *, refused: bool = False, **client: Any) -> bool:
    """Return True if C-ECHO is answered; `refused` if the answer is that its context is not accepted."""
    contexts = [dimse.Verification]
    try:
        with dimse.associate(LOOPBACK, port, contexts=contexts, tls=security, **client) as association:
            return association.echo() == 0
    except dimse.RefusedContexts:
        return refused


# --- the tools ---


@dataclass(frozen=True)
class Given:
    """The arguments of an option, and those of a client of such a server.

    Attributes:
        arguments: On the command line, in the place of the option alone; with the names of `values` in braces.
        client: Arguments of `dimse.associate`; with `tls` it shows a certificate.
    """

    arguments: tuple[str, ...]
    client: Mapping[str, Any] = field(default_factory=dict)


def given(*arguments: str, **client: Any) -> Given:
    return Given(arguments, client)


TLS = ("--tls", "--tls-cert", "{server}", "--tls-key", "{server_key}", "--tls-ca", "{ca}")
ME = dimse.UserIdentity(2, b"me", b"secret")

# The options that print something and end, and those of TLS that go with another one alone, whose values are there.
NOT_FOR_A_SERVER = {"man", "help", "version", "print_completion", "port", "pending_studies"}

OPTIONS: dict[str, Given] = {
    "quiet": given("-q"),
    "verbose": given("-v"),
    "debug": given("-d"),
    "log_level": given("-ll", "info"),
    "log_config": given("-lc", "{folder}/log.json"),
    "log_format": given("--log-format", "json", "-v"),
    "log_time": given("--log-time", "-v"),
    "log_file": given("--log-file", "{folder}/log", "-v"),
    "log_rotate": given("--log-file", "{folder}/log", "-v", "--log-rotate", "1K"),
    "log_keep": given("--log-file", "{folder}/log", "-v", "--log-rotate", "1K", "--log-keep", "1"),
    "log_phi": given("--log-phi"),
    "audit": given("--audit", "{folder}/audit"),
    "bind_address": given("-ba", "127.0.0.1"),
    # `listening` gives one to each of them.
    "ready_file": given(),
    "drain": given("--drain", "0"),
    "workers": given("--workers", "2"),
    "also_port": given("--also-port", "0"),
    "metrics": given("--metrics", "0"),
    "ae_title": given("-aet", "OURS"),
    "require_called": given("--require-called", "-aet", "OURS", called_ae_title="OURS"),
    "allow_calling": given("--allow-calling", "FRIEND", calling_ae_title="FRIEND"),
    "allow_from": given("--allow-from", "127.0.0.0/8"),
    "max_associations": given("--max-associations", "50"),
    "max_per_address": given("--max-per-address", "20"),
    "acse_timeout": given("-ta", "0.05"),
    "dimse_timeout": given("-td", "1"),
    "network_timeout": given("-tn", "1"),
    "idle_timeout": given("--idle-timeout", "1"),
    "max_pdu": given("-pdu", "4096"),
    "async_ops": given("--async-ops", "1"),
    "tls": given(*TLS, tls=True),
    "tls_cert": given(*TLS, tls=True),
    "tls_key": given(*TLS, tls=True),
    "tls_ca": given(*TLS, tls=True),
    "tls_crl": given(*TLS, "--tls-crl", "{crl}", tls=True),
    "tls_pin": given(*TLS, "--tls-pin", "{pin}", tls=True),
    "tls_no_client_cert": given(*TLS[:-2], "--tls-no-client-cert", tls=True),
    "tls_profile": given(*TLS, "--tls-profile", "modified", tls=True),
    "tls_info": given(*TLS, "--tls-info", tls=True),
    "password_file": given("--password-file", "{passwords}", "--allow-plain-password", identity=ME),
    "allow_plain_password": given("--password-file", "{passwords}", "--allow-plain-password", identity=ME),
    "preferred": given("-xe"),
    "implicit": given("-xi"),
    "accept_unknown": given("--accept-unknown"),
    "accept_only": given("--accept-only", "CTImageStorage"),
    "accept_syntax": given("--accept-syntax", "any"),
    "accept_cut_short": given("--accept-cut-short"),
    "no_echo": given("--no-echo", refused=True),
    "commit": given("--commit", "-od", "{folder}/in"),
    "report_to": given("--commit", "-od", "{folder}/in", "--report-to", "FRIEND=127.0.0.1:1"),
    "output_directory": given("-od", "{folder}/in"),
    "ignore": given("--ignore"),
    "layout": given("--layout", "{{StudyInstanceUID}}/{{SOPInstanceUID}}.dcm"),
    "on_duplicate": given("--on-duplicate", "reject"),
    "max_duplicates": given("--max-duplicates", "1"),
    "durability": given("--durability", "none"),
    "mode": given("--mode", "640"),
    "exec": given("--exec", "true"),
    "exec_study": given("--exec-study", "true"),
    "study_timeout": given("--study-timeout", "1", "--exec-study", "true"),
    "report": given("--report", "{folder}/report"),
}

MAINS = {"echoscp": echoscp.main, "storescp": storescp.main}


def options_of(name: str) -> list[str]:
    """Return the options of a tool that bear on a server, as its parser has them."""

    class Found(Exception):
        pass

    with pytest.MonkeyPatch.context() as patch:

        def read(parser: Parser, _: object) -> None:
            raise Found(*dict.fromkeys(action.dest for action in parser._actions))

        patch.setattr(Parser, "read", read)
        with pytest.raises(Found) as found:
            MAINS[name]([])
    return [option for option in found.value.args if option not in NOT_FOR_A_SERVER]


CELLS = [(name, option) for name in MAINS for option in options_of(name)]


def test_every_option_of_the_tools_has_a_value() -> None:
    missing = {option for _, option in CELLS} - OPTIONS.keys()
    assert not missing, f"give them a value in OPTIONS: {missing}"
    print(f"{len(CELLS)} options x {len(HOSTILE)} hostile connections = {len(CELLS) * len(HOSTILE)} cells")


@contextmanager
def values(folder: Path) -> Iterator[dict[str, str]]:
    """Yield what replaces the names in braces."""
    certificates = Certificates(folder)
    server, client = certificates.by_trustme("server"), certificates.by_trustme("client")
    (folder / "log.json").write_text("{}")
    yield {
        "folder": str(folder),
        "server": server.certificate,
        "server_key": server.key,
        "client": client.certificate,
        "client_key": client.key,
        "ca": certificates.ca,
        "crl": certificates.crl(),
        "pin": client.sha256,
        "passwords": str(password_file(folder, me="secret")),
    }


# What both tools have is tried with storescp in every run of continuous integration, and with echoscp by `make campaign`.
@pytest.mark.parametrize(
    ("name", "option"),
    [
        pytest.param(*cell, marks=pytest.mark.campaign if cell[0] == "echoscp" else pytest.mark.thorough)
        for cell in CELLS
    ],
)
def test_whatever_connects_to_a_tool_c_echo_is_answered(
    name: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    what = OPTIONS[option]
    with values(tmp_path) as named:
        client = dict(what.client)
        security = None
        if client.pop("tls", False):
            security = dimse.TLS(certificate=named["client"], key=named["client_key"], ca=named["ca"])
        arguments = [argument.format(**named) for argument in what.arguments]
        with listening(name, "-ta", SHORT, *arguments) as listener:
            for where in (listener.where, *listener.also):
                suffer(int(where.rpartition(":")[2]), security, **client)
            listener.end()


# --- the library ---

ARGUMENTS: dict[str, tuple[Any, Mapping[str, Any]]] = {
    "handlers": (dimse.Handlers(echo=lambda request: 0), {}),
    "ae_title": ("OURS", {}),
    "contexts": ([dimse.Verification], {}),
    "transfer_syntaxes": ([uids.ImplicitVRLittleEndian], {}),
    "prefer_ours": (True, {}),
    "timeouts": (dimse.Timeouts(connect=SHORT, acse=SHORT, network=1, idle=1), {}),
    "limits": (dimse.Limits(associations=5, half_open=2, half_open_bytes=300), {}),
    "acceptor": (dimse.Acceptor(accept_unknown=True), {}),
    "maximum_length": (4096, {}),
    "maximum_send_length": (4096, {}),
    "roles": ([dimse.Role(uids.CTImageStorage, scp=True)], {}),
    "require_called": (True, {"called_ae_title": "DIMSE"}),
    "calling_ae_titles": (["FRIEND"], {"calling_ae_title": "FRIEND"}),
    "networks": (["127.0.0.0/8"], {}),
    "accept_unknown": (True, {}),
    "extended": (dimse.Features(relational=True).supported(), {}),
    "async_ops": (0, {}),
    "share_port": (True, {}),
    "deny": (lambda peer: {uids.CTImageStorage}, {}),
    "identify": (lambda identity: b"", {"identity": ME}),
    "allow_anonymous": (True, {}),
    "observe": (lambda event: 1 / 0, {}),
    "tls": (None, {"tls": True}),
    "also_ports": ([0], {}),
}


def arguments_of_a_server() -> list[str]:
    return [name for name in inspect.signature(Reception.__init__).parameters if name not in ("self", "address")]


def test_every_argument_of_a_server_has_a_value() -> None:
    missing = set(arguments_of_a_server()) - ARGUMENTS.keys()
    assert not missing, f"give them a value in ARGUMENTS: {missing}"
    count = len(arguments_of_a_server()) * len(HOSTILE) * 2
    print(f"{len(arguments_of_a_server())} arguments x {len(HOSTILE)} hostile connections x 2 faces = {count} cells")


@pytest.mark.thorough
@on_both_faces
@pytest.mark.parametrize("argument", arguments_of_a_server())
def test_whatever_connects_to_a_server_c_echo_is_answered(face: Face, argument: str, tmp_path: Path) -> None:
    value, client = ARGUMENTS[argument]
    with values(tmp_path) as named:
        client, security = dict(client), None
        if client.pop("tls", False):
            value = dimse.TLS(certificate=named["server"], key=named["server_key"], ca=named["ca"])
            security = dimse.TLS(certificate=named["client"], key=named["client_key"], ca=named["ca"])
        options = {"timeouts": dimse.Timeouts(connect=SHORT, acse=SHORT), argument: value}
        with serving(face, options.pop("handlers", None), **options) as port:
            suffer(port, security, **client)

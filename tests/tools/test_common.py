"""The common part of the requesting tools: the command line, the association, logging, deadlines, exit statuses."""

from __future__ import annotations

import importlib
import json
import shlex
import signal
import socket
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import dimse
from dimse.tools import TOOLS as ALL_TOOLS
from tests import faulty_peer as scp
from tests.faulty_peer import Connection
from tests.interop.peers import free_port
from tests.tools import running
from tests.tools.running import Instance

TOOLS = ("echoscu", "storescu")

# Every option of both, in its forms; and those of one.
OPTIONS = {
    *(
        "-q",
        "--quiet",
        "-v",
        "--verbose",
        "-d",
        "--debug",
        "-ll",
        "--log-level",
        "-lc",
        "--log-config",
        "-aet",
        "--calling-aet",
    ),
    *(
        "-aec",
        "--called-aet",
        "-to",
        "--timeout",
        "-ta",
        "--acse-timeout",
        "-td",
        "--dimse-timeout",
        "-tn",
        "--network-timeout",
    ),
    *(
        "-pdu",
        "--max-pdu",
        "--max-send-pdu",
        "-xe",
        "--request-little",
        "-xb",
        "--request-big",
        "-xi",
        "--request-implicit",
    ),
    *("-pts", "--propose-ts", "--repeat", "--abort", "--version", "--help"),
}
OWN_OPTIONS: dict[str, set[str]] = {
    "echoscu": set(),
    "storescu": {"-r", "--recurse", "-cx", "--required-contexts", "--transcode", "--priority"},
}


@pytest.fixture(params=TOOLS)
def tool(request: pytest.FixtureRequest) -> str:
    """Return each of the tools in turn."""
    name: str = request.param
    return name


@pytest.fixture
def what(tool: str, tmp_path: Path) -> list[Path]:
    """Return what the tool has to be given behind the peer: a file to send, or nothing."""
    return [Instance().write(tmp_path / "image.dcm")] if tool == "storescu" else []


def refused(name: str, *arguments: object) -> str:
    """Use a tool wrongly; its last line."""
    process = running.tool(name, *arguments)
    assert (process.returncode, process.stdout) == (2, "")
    return complaint(name, process.stderr)


def complaint(name: str, printed: str) -> str:
    """Return the last line that a tool prints when it is used wrongly, behind its usage."""
    usage, *_, last = printed.splitlines()
    assert usage.startswith(f"usage: {name} ")
    assert last.startswith(f"{name}: error: ")
    return last


# ---- dimse itself


def test_dimse_alone_lists_the_tools() -> None:
    process = running.run(*running.command("")[:3])
    assert (process.returncode, process.stderr) == (0, "")
    for name in (*TOOLS, "storescp"):
        assert f"  {name} " in process.stdout


def test_an_unknown_tool_is_wrong_usage() -> None:
    process = running.tool("echoscp2")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == f"dimse: there is no tool 'echoscp2'; there are {', '.join(ALL_TOOLS)}\n"


def test_dimse_has_a_version() -> None:
    process = running.tool("--version")
    assert (process.returncode, process.stdout) == (0, f"dimse v{dimse.__version__}\n")


# ---- help, version, console scripts


@pytest.mark.parametrize(
    "command", [["echoscu"], ["storescu"], ["storescp"], ["dimse", "echoscu"], ["dimse", "storescu"]]
)
def test_the_version_needs_no_positionals_and_goes_to_stdout(command: list[str]) -> None:
    script, *rest = command
    process = running.run(str(Path(sys.executable).with_name(script)), *rest, "--version")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == f"{command[-1]}.py v{dimse.__version__}\n"


def test_the_version_by_way_of_the_module(tool: str) -> None:
    assert running.tool(tool, "--version").stdout == f"{tool}.py v{dimse.__version__}\n"


def test_help_has_every_option_in_groups_and_examples(tool: str) -> None:
    process = running.tool(tool, "--help")
    assert (process.returncode, process.stderr) == (0, "")
    for group in ("positional arguments:", "output:", "association:", "transfer syntaxes:", "examples:"):
        assert f"\n{group}\n" in process.stdout
    assert process.stdout.split("examples:\n")[1].count(f"  {tool} ") >= 2
    words = process.stdout.replace(",", " ").split()
    assert OPTIONS | OWN_OPTIONS[tool] <= set(words)


# ---- options and positionals


def test_options_stand_before_between_and_after_positionals(tool: str, what: list[Path]) -> None:
    before, between, after = ["-aet", "ME"], ["-aec", "YOU"], ["-v"]
    (request,) = running.asked(tool, *before, "PEER", *between, *what, *after)
    assert (request.calling.rstrip(), request.called.rstrip()) == ("ME", "YOU")


def test_options_stand_between_address_port_and_path(tool: str, what: list[Path]) -> None:
    with running.Receiver() as receiver:
        process = running.tool(tool, "127.0.0.1", "-aet", "ME", receiver.port, "-v", *what)
    assert process.returncode == 0
    assert running.lines(process, "I")[0] == "Requesting Association"


def test_paths_stand_on_both_sides_of_an_option(tmp_path: Path) -> None:
    one = Instance("1.2.1").write(tmp_path / "1")
    two = Instance("1.2.2").write(tmp_path / "2")
    with running.Receiver() as receiver:
        assert receiver.storescu(one, "-aet", "ME", two).returncode == 0
    assert receiver.uids == ["1.2.1", "1.2.2"]


def test_a_file_gives_arguments(tool: str, what: list[Path], tmp_path: Path) -> None:
    arguments = tmp_path / "arguments"
    arguments.write_text("-aet\nFROM FILE\n--called-aet\nPEER1\n")
    (request,) = running.asked(tool, f"@{arguments}", "PEER", *what)
    assert (request.calling.rstrip(), request.called.rstrip()) == ("FROM FILE", "PEER1")


WRONG = [
    (["-aet", "SEVENTEENCHARSLNG"], "SEVENTEENCHARSLNG"),
    (["-aet", ""], "1 to 16 characters"),
    (["-aet", "    "], "1 to 16 characters"),
    (["-aec", "BACK\\SLASH"], "backslash"),
    (["-aec", "SEVENTEENCHARSLNG"], "1 to 16 characters"),
    (["-aec", "M\u00dcLLER"], "ASCII"),
    (["-pdu", "1"], "4096"),
    (["-pdu", "4095"], "4096"),
    (["-pdu", "4294967296"], "4294967295"),
    (["-pdu", "-1"], "-pdu"),
    (["-pdu", "x"], "-pdu"),
    (["--max-send-pdu", "1"], "4096"),
    (["-to", "-1"], "-to"),
    (["-ta", "soon"], "'soon' is not a number"),
    (["-td", "nan"], "nan"),
    (["-tn", "inf"], "inf"),
    (["-pts", "0"], "1 to 3"),
    (["-pts", "4"], "1 to 3"),
    (["--repeat", "0"], "1 to"),
    (["--repeat", "1.5"], "not a number"),
    (["-ll", "loud"], "loud"),
    (["-q", "-v"], "not allowed with"),
    (["-v", "-d"], "not allowed with"),
    (["-d", "-q"], "not allowed with"),
    (["-xe", "-xb"], "not allowed with"),
    (["-xb", "-xi"], "not allowed with"),
    (["-xi", "-xe"], "not allowed with"),
    (["-xi", "-pts", "2"], "not allowed with"),
    (["--abor"], "--abor"),
    (["--no-such-option"], "--no-such-option"),
]


@pytest.mark.parametrize(("options", "words"), [pytest.param(*wrong, id=" ".join(wrong[0])) for wrong in WRONG])
def test_wrong_usage_is_one_clear_line(
    tool: str, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = importlib.import_module(f"dimse.tools.{tool}").main  # in this process: they are many
    with pytest.raises(SystemExit) as end:
        main(["127.0.0.1", "11112", *["x"] * (tool == "storescu"), *options])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert words in complaint(tool, err)


@pytest.mark.sample("echoscu-positionals0", "storescu-positionals4")
@pytest.mark.parametrize(
    "positionals", [[], ["127.0.0.1"], ["127.0.0.1", "0"], ["127.0.0.1", "65536"], ["127.0.0.1", "dicom"]]
)
def test_wrong_positionals_are_wrong_usage(tool: str, positionals: list[str]) -> None:
    refused(tool, *positionals, *["path"] * (tool == "storescu" and len(positionals) == 2))


def test_a_tool_works_whose_standard_streams_are_closed(tool: str, what: list[Path]) -> None:
    with running.Receiver() as receiver:
        arguments = shlex.join(running.command(tool, "-v", "127.0.0.1", receiver.port, *what))
        process = running.run("sh", "-c", f"{arguments} <&- >&- 2>&-")
        assert process.returncode == 0
        assert len(receiver.stored) == len(what)


@pytest.mark.sample("echoscu-in front---verbos-*", "storescu-behind---max-pdus=5-*")
@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [("--verbos", "--verbose"), ("--called-aes", "--called-aet"), ("--max-pdus=5", "--max-pdu")],
)
@pytest.mark.parametrize("first", [True, False], ids=["in front", "behind"])
def test_a_mistyped_option_is_named_with_the_nearest_one(tool: str, mistyped: str, meant: str, first: bool) -> None:
    peer = ["127.0.0.1", "11112", *["x"] * (tool == "storescu")]
    said = refused(tool, *([mistyped, *peer] if first else [*peer, mistyped]))
    assert said.endswith(f"unknown option {mistyped!r}: did you mean {meant}?")


def test_a_file_of_arguments_that_cannot_be_read_is_named(tool: str) -> None:
    assert "no-such-file" in refused(tool, "@no-such-file", "127.0.0.1", "11112")


def test_a_name_among_the_paths_that_begins_with_an_at_sign_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("--version\n")
    Instance().write(tmp_path / "@a")
    with running.Receiver() as receiver:
        for arguments in (["127.0.0.1", receiver.port, "@a"], ["--", "127.0.0.1", receiver.port, "@a"]):
            process = running.tool("storescu", *arguments, cwd=tmp_path)
            assert (process.returncode, process.stdout) == (0, "")
    assert len(receiver.stored) == 2


def test_a_file_of_arguments_may_come_from_windows(tool: str, what: list[Path], tmp_path: Path) -> None:
    arguments = tmp_path / "arguments"
    # U+2028 ends a line for `str.splitlines`, but not in a file.
    arguments.write_bytes("\ufeff-aet\r\nME\r\n-aec\r\nTHEM\r\n--user\r\na\u2028b\r\n".encode())
    (request,) = running.asked(tool, f"@{arguments}", "PEER", *what)
    assert (request.calling, request.called) == ("ME".ljust(16), "THEM".ljust(16))


def test_a_file_of_arguments_is_not_expanded_again(tool: str, what: list[Path], tmp_path: Path) -> None:
    arguments = tmp_path / "arguments"
    arguments.write_text(f"@{arguments}\n")
    process = running.tool(tool, f"@{arguments}", "104", *what)
    assert process.returncode == 1
    assert running.errors(process)[-1].startswith(f"Peer: @{arguments}:104,")


def test_storescu_needs_a_path_and_echoscu_takes_none() -> None:
    assert "path" in refused("storescu", "127.0.0.1", "11112")
    assert "unrecognized" in refused("echoscu", "127.0.0.1", "11112", "path")


# ---- the association that is asked for


@pytest.mark.sample("echoscu-options0-*", "storescu-options1-*")
@pytest.mark.parametrize(
    ("options", "calling", "called"),
    [
        ([], None, "ANY-SCP"),
        (["-aet", "ME", "-aec", "ARCHIVE"], "ME", "ARCHIVE"),
        (
            ["--calling-aet", "  16 characters!", "--called-aet", "SIXTEENCHARACTER"],
            "16 characters!",
            "SIXTEENCHARACTER",
        ),
    ],
)
def test_ae_titles_on_the_wire(
    tool: str, what: list[Path], options: list[str], calling: str | None, called: str
) -> None:
    (request,) = running.asked(tool, "PEER", *what, *options)
    assert request.calling == f"{calling or tool.upper():16}"
    assert request.called == f"{called:16}"


@pytest.mark.sample("echoscu-options0-*", "storescu-options2-*")
@pytest.mark.parametrize(
    ("options", "length"),
    [([], 16382), (["-pdu", 0], 0), (["-pdu", 4096], 4096), (["--max-pdu", 4294967295], 4294967295)],
)
def test_the_maximum_length_that_we_announce(tool: str, what: list[Path], options: list[object], length: int) -> None:
    (request,) = running.asked(tool, "PEER", *what, *options)
    assert request.maximum_length == length


@pytest.mark.sample("131072-*")
@pytest.mark.parametrize(
    ("peers", "cap", "longest"), [(0, [], 262144), (0, [4096], 4096), (131072, [65536], 65536), (4096, [65536], 4096)]
)
def test_no_pdu_is_longer_than_the_peer_and_we_want(tmp_path: Path, peers: int, cap: list[int], longest: int) -> None:
    path = Instance(rest=running.pixel_data(3 * 262144)).write(tmp_path / "image.dcm")
    options = ["--max-send-pdu", *cap] if cap else []
    (request,) = running.asked("storescu", "PEER", path, *options, maximum_length=peers)
    assert longest - 8 <= max(request.lengths) <= longest


# ---- deadlines: each one is its own, 0 is no deadline


def never_answers(connection: Connection) -> None:
    connection.drain()


def never_responds(connection: Connection) -> None:
    connection.accept()
    connection.drain()


def stops_within_a_response(connection: Connection) -> None:
    connection.accept()
    message = connection.read_message()
    connection.send(connection.response(message)[:-10])
    connection.drain()


WAITS = {
    "-ta": (never_answers, 1, "ACSE timeout reached while waiting for response to association request"),
    "-td": (never_responds, 3, "DIMSE timeout reached while waiting for message response"),
    "-tn": (stops_within_a_response, 3, "Network timeout reached"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("option", WAITS)
def test_a_deadline_ends_its_own_wait(tool: str, what: list[Path], option: str) -> None:
    behaviour, status, line = WAITS[option]
    others = [word for other in ("-to", *WAITS) if other != option for word in (other, 0)]
    started = time.monotonic()
    process = running.against(behaviour, tool, "PEER", *what, option, "0.4", *others)
    assert 0.4 <= time.monotonic() - started < 5
    assert process.returncode == status
    assert running.errors(process)[0] == line


@pytest.mark.sample("storescu")
def test_the_deadline_of_connecting(tool: str, what: list[Path]) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        # The queue is full: a later connection is not answered.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        process = running.tool(tool, "127.0.0.1", port, *what, "-to", "0.4", "-ta", 0, "-td", 0, "-tn", 0)
        assert 0.4 <= time.monotonic() - started < 5
    assert process.returncode == 1
    assert running.errors_of_request(process) == [
        "Association request failed: unable to connect to remote",
        "TCP Initialisation Error: Connection timed out",
    ]


# ---- no association: exit status 1


def test_a_port_without_a_listener(tool: str, what: list[Path]) -> None:
    port = free_port()
    process = running.tool(tool, "127.0.0.1", port, *what, "-aec", "ARCHIVE", "-aet", "ME")
    assert process.returncode == 1
    assert running.errors(process) == [
        "Association request failed: unable to connect to remote",
        "TCP Initialisation Error: Connection refused",
        f"Peer: 127.0.0.1:{port}, called ARCHIVE, calling ME",
    ]


@pytest.mark.sample("no-such-host.invalid", "a..b")
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300, "256.1.1.1", "::g"])
def test_an_unknown_host(host: str) -> None:
    process = running.tool("echoscu", host, 11112)
    assert process.returncode == 1
    first, second, _where = running.errors(process)
    assert first == "Association request failed: unable to connect to remote"
    assert second.startswith("TCP Initialisation Error: ")


@pytest.mark.sample("storescu")
def test_nothing_is_sent_where_no_context_is_accepted(tool: str, what: list[Path]) -> None:
    def refuses(connection: Connection) -> None:
        connection.read_request()
        connection.send(connection.associate_ac(contexts=connection.each(3)))
        connection.drain()
        assert connection.abort == (0, 0)

    process = running.against(refuses, tool, "PEER", *what)
    assert process.returncode == 1
    first, *contexts = running.errors_of_request(process)
    assert first == "No accepted presentation contexts"
    name = "Verification SOP Class" if tool == "echoscu" else "Secondary Capture Image Storage"
    assert len(contexts) == (1 if tool == "echoscu" else 2)
    for context in contexts:
        assert name in context
        assert "abstract syntax" in context.lower()


# ---- logging


def everything_fails(tool: str, what: list[Path]) -> list[object]:
    return ["127.0.0.1", free_port(), *what]


def test_success_is_silent(tool: str, what: list[Path]) -> None:
    with running.Receiver() as receiver:
        process = running.tool(tool, "127.0.0.1", receiver.port, *what)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


@pytest.mark.sample("echoscu---quiet", "storescu--q")
@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_prints_nothing_even_if_all_fails(tool: str, what: list[Path], option: str) -> None:
    process = running.tool(tool, *everything_fails(tool, what), option)
    assert (process.returncode, process.stdout, process.stderr) == (1, "", "")


def test_quiet_says_nothing_of_bad_files(tmp_path: Path) -> None:
    process = running.tool("storescu", "127.0.0.1", free_port(), tmp_path / "missing.dcm", "-q")
    assert (process.returncode, process.stdout, process.stderr) == (3, "", "")


LEVELS = [
    (["-ll", "critical"], ""),
    (["-ll", "error"], "E"),
    (["-ll", "warning"], "EW"),
    (["-ll", "warn"], "EW"),
    (["--log-level", "info"], "EWI"),
    (["-ll", "debug"], "EWID"),
    (["-ll", "error", "-v"], "E"),
    (["-ll", "warn", "-d"], "EW"),
    (["-ll", "info", "-d"], "EWI"),
    (["-v"], "EWI"),
    (["-d"], "EWID"),
    ([], "E"),
]


@pytest.mark.sample("-ll error", "-v", "")
@pytest.mark.parametrize(("options", "levels"), [pytest.param(*level, id=" ".join(level[0])) for level in LEVELS])
def test_the_level_and_what_is_more_severe_are_printed(tmp_path: Path, options: list[str], levels: str) -> None:
    Instance().write(tmp_path / "a" / "good.dcm")
    (tmp_path / "a" / "note.txt").write_text("a warning: skipped")
    with running.Receiver() as receiver:
        process = receiver.storescu(tmp_path / "a", tmp_path / "an-error", *options)
    assert process.returncode == 3
    assert {line[:3] for line in process.stderr.splitlines()} == {f"{level}: " for level in levels}


INI = """
[loggers]
keys=root,dimse
[handlers]
keys=file
[formatters]
keys=form
[logger_root]
level=WARNING
handlers=
[logger_dimse]
level=INFO
handlers=file
qualname=dimse
propagate=0
[handler_file]
class=FileHandler
level=DEBUG
formatter=form
args=({log!r},)
[formatter_form]
format=%(name)s|%(levelname)s|%(message)s
"""
TOML = """
[formatters.form]
format = "%(name)s|%(levelname)s|%(message)s"
[handlers.file]
class = "logging.FileHandler"
filename = {log!r}
formatter = "form"
[loggers.dimse]
level = "INFO"
handlers = ["file"]
"""


def write_configuration(kind: str, folder: Path, log: Path) -> Path:
    path = folder / f"logging.{kind}"
    if kind == "json":
        configuration = {
            "version": 1,
            "formatters": {"form": {"format": "%(name)s|%(levelname)s|%(message)s"}},
            "handlers": {"file": {"class": "logging.FileHandler", "filename": str(log), "formatter": "form"}},
            "loggers": {"dimse": {"level": "INFO", "handlers": ["file"]}},
        }
        path.write_text(json.dumps(configuration))
    else:
        path.write_text((INI if kind == "ini" else TOML).format(log=str(log)))
    return path


@pytest.mark.sample("echoscu-toml", "storescu-ini")
@pytest.mark.parametrize("kind", ["ini", "json", "toml"])
def test_a_logging_configuration_says_where_the_lines_go(
    tool: str, what: list[Path], tmp_path: Path, kind: str
) -> None:
    log = tmp_path / "log"
    with running.Receiver() as receiver:
        configuration = write_configuration(kind, tmp_path, log)
        process = running.tool(tool, "127.0.0.1", receiver.port, *what, "-lc", configuration)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    lines = log.read_text().splitlines()
    assert lines[:2] == [
        "dimse.association|INFO|Requesting Association",
        "dimse.association|INFO|Association Accepted",
    ]
    assert any(line.startswith("dimse.message|INFO|Received ") for line in lines)
    assert any(line.startswith("dimse.tools.echoscu|INFO|Peer: ") for line in lines) == (tool == "echoscu")


def test_a_level_beside_a_logging_configuration(tmp_path: Path) -> None:
    """The configuration decides."""
    log = tmp_path / "log"
    with running.Receiver() as receiver:
        arguments = ["127.0.0.1", receiver.port, "-lc", write_configuration("toml", tmp_path, log)]
        assert running.tool("echoscu", *arguments, "-ll", "error").returncode == 0
    assert "INFO" in log.read_text()


@pytest.mark.sample("missing.ini-*", "broken.json-*")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.ini", None),
        ("empty.ini", ""),
        ("broken.ini", "[loggers\n"),
        ("broken.json", "{"),
        ("list.json", "[]"),
        ("broken.toml", "handlers = "),
        ("unknown.toml", "[handlers.file]\nclass = 'logging.NoSuchHandler'\n"),
        ("binary.ini", "\0\1\2"),
    ],
)
def test_a_logging_configuration_that_cannot_be_used_is_wrong_usage(
    tmp_path: Path, name: str, content: str | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    line = refused("echoscu", "127.0.0.1", "11112", "-lc", path)
    assert "logging configuration" in line
    assert name in line


def test_a_traceback_is_for_debug_alone(tool: str, what: list[Path]) -> None:
    arguments = everything_fails(tool, what)
    assert "Traceback" not in running.tool(tool, *arguments, "-v").stderr
    assert "Traceback" in running.tool(tool, *arguments, "-d").stderr


# ---- Ctrl-C: exit status 130


def test_ctrl_c_while_a_response_is_awaited(tool: str, what: list[Path]) -> None:
    gate = running.Gate()

    def never_responds(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        gate.reached.set()
        connection.drain()

    peer = scp.FaultyPeer(never_responds)
    with peer as port, running.start(tool, "127.0.0.1", port, *what) as process:
        gate.wait()
        running.until_asleep(process)
        said = running.interrupt(process).splitlines()
    assert process.returncode == 130
    assert said == ["E: Interrupted: 0 stored, the rest was not sent or is unknown" if what else "E: Interrupted"]
    assert peer.connections[0].abort == (0, 0)
    assert peer.connections[0].faults == []


def test_ctrl_c_while_an_association_is_awaited(tool: str, what: list[Path]) -> None:
    gate = running.Gate()

    def never_answers(connection: Connection) -> None:
        connection.read_request()
        gate.reached.set()
        connection.drain()

    peer = scp.FaultyPeer(never_answers)
    with peer as port, running.start(tool, "127.0.0.1", port, *what, "-q") as process:
        gate.wait()
        running.until_asleep(process)
        assert running.interrupt(process) == ""
    assert process.returncode == 130
    assert peer.connections[0].abort == (0, 0)


def test_ctrl_c_within_a_data_set_tears_the_connection(tmp_path: Path) -> None:
    gate = running.Gate()

    def stops_reading(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        for _ in range(20):
            connection.read_pdu()
        gate.stop()
        connection.drain()

    small = Instance("1.2.1").write(tmp_path / "1")
    large = Instance("1.2.2", rest=running.pixel_data(16 << 20)).write(tmp_path / "2")
    peer = scp.FaultyPeer(stops_reading)
    with peer as port, running.start("storescu", "127.0.0.1", port, small, large) as process:
        gate.wait()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=running.SECONDS)
        gate.open()
    assert process.returncode == 130
    assert said.splitlines() == ["E: Interrupted: 1 stored, the rest was not sent or is unknown"]
    connection = peer.connections[0]
    assert len(connection.messages) == 1
    assert connection.pdu_types[-1] in (scp.P_DATA_TF, scp.A_ABORT)
    assert connection.end in ("FIN", "RST")

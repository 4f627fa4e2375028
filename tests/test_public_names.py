"""The public names as a programmer sees them: signatures, docstrings, and what a type checker says of a program."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dimse
from dimse import aio, archive, errors, sending, testing, uids

MODULES = (dimse, aio, archive, errors, sending, testing, uids)
SOURCE = Path(__file__).parents[1] / "src"

# Docstrings of functions that raise nothing by themselves and return what their first line says.
SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Yields:")


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the names of a module that are classes or functions, with their objects."""
    own = [
        name
        for name in dir(module)
        if not name.startswith("_") and getattr(getattr(module, name), "__module__", "") == module.__name__
    ]
    for name in getattr(module, "__all__", own):
        found = getattr(module, name)
        if inspect.isclass(found) or inspect.isroutine(found):
            yield f"{module.__name__}.{name}", found


def members(path: str, found: Any) -> Iterator[tuple[str, Any]]:
    """Yield a class or function, and the public methods and properties of a class."""
    yield path, found
    if inspect.isclass(found):
        for name, member in vars(found).items():
            if name.startswith("_") or not (isinstance(member, property) or callable(getattr(found, name))):
                continue
            yield f"{path}.{name}", member if isinstance(member, property) else getattr(found, name)


PUBLIC = {path: found for module in MODULES for name, one in public(module) for path, found in members(name, one)}


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_name_has_a_docstring(path: str) -> None:
    text = PUBLIC[path].__doc__
    assert text and text.strip(), path


@pytest.mark.parametrize("path", [path for path, found in PUBLIC.items() if callable(found)])
def test_a_public_callable_shows_each_argument(path: str) -> None:
    found = PUBLIC[path]
    try:
        parameters = list(inspect.signature(found).parameters.values())
    except ValueError:
        # An exception with the constructor of Python's own.
        assert issubclass(found, Exception) or found is sending.AssociationOptions
        return
    for one in parameters:
        is_open = one.kind is one.VAR_KEYWORD or (
            one.kind is one.VAR_POSITIONAL and one.annotation in ("Any", one.empty)
        )
        assert not is_open, f"{path} has {one}"
        assert one.name in ("self", "association") or one.annotation is not one.empty, f"{path}: {one} has no type"


@pytest.mark.parametrize("path", [path for path, found in PUBLIC.items() if inspect.isroutine(found)])
def test_the_docstring_of_a_function_names_its_arguments_as_it_does(path: str) -> None:
    """An argument that is listed exists; with several arguments there is a list, or the name of another place."""
    found = PUBLIC[path]
    text = inspect.getdoc(found) or ""
    listed = re.findall(r"^    ([\w, *]+): ", text.partition("Args:\n")[2].partition("\n\n")[0], re.MULTILINE)
    names = {name.strip(" *") for entry in listed for name in entry.split(",")}
    assert names <= set(inspect.signature(found).parameters), path


BLOCKING = '''
"""A program on the blocking face."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

from pydicom import Dataset, dcmread

import dimse
from dimse import uids
from dimse.archive import FileStore
from dimse.sending import Retry

REMOTE = dimse.Remote("pacs.example.org", 104, called_ae_title="ARCHIVE", timeouts=dimse.Timeouts(dimse=60))


def anonymised(folder: Path) -> Iterator[Dataset]:
    for path in sorted(folder.glob("*.dcm")):
        data_set = dcmread(path)
        data_set.PatientName = "Anonymous"
        yield data_set


def watch(event: dimse.MessageEvent) -> None:
    print(event.name, event.status, round(event.seconds, 3))


def send(folder: Path) -> int:
    failed = 0
    for outcome in dimse.send(anonymised(folder), REMOTE, jobs=2, retry=Retry(3)):
        if outcome.error is not None:
            print(outcome.path, outcome.error, file=sys.stderr)
            failed += 1
    return failed


def verify(remote: dimse.Remote) -> dimse.Status:
    contexts = [dimse.Verification, *uids.sop_classes("CT", "MRImageStorage")]
    with dimse.associate(remote, contexts=contexts, observe=dimse.Observer(message=watch)) as association:
        print(association, association.peer.implementation_version_name)
        status: dimse.Status = association.echo()
        content = Path("image.dcm").read_bytes()
        statuses = [association.store(one) for one in (content, memoryview(content), io.BytesIO(content))]
        return statuses[-1] if statuses else status


def route(folder: str) -> None:
    store = FileStore(folder)
    with dimse.Forwarder(REMOTE, associations=2) as forwarder:

        def both(request: dimse.StoreRequest) -> int:
            print(request.sop_instance_uid)
            return forwarder.store(request)

        with store, dimse.Server(("127.0.0.1", 11112), dimse.Handlers(store=both)) as server:
            server.serve_forever()


if __name__ == "__main__":
    raise SystemExit(send(Path(sys.argv[1])) or verify(dimse.Remote.named("pacs")))
'''

LOOPED = '''
"""A program on the asyncio face."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from pydicom import Dataset, dcmread

import dimse
from dimse import aio, uids

REMOTE = aio.Remote("pacs.example.org", 104, called_ae_title="ARCHIVE")
TLS_REMOTE = aio.Remote("pacs.example.org", 2762, tls=dimse.TLS(ca="hospital.pem"))


def data_sets(folder: Path) -> Iterator[Dataset]:
    for path in sorted(folder.iterdir()):
        yield dcmread(path)


class Log:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.observer = aio.Observer(association=self.association, message=self.message)

    def association(self, event: dimse.AssociationEvent) -> None:
        print(event.kind, event.called_ae_title, event.error)

    def message(self, event: dimse.MessageEvent) -> None:
        self.seconds += event.seconds


async def send(folder: Path) -> int:
    failed = 0
    async for outcome in aio.send(data_sets(folder), REMOTE, called_ae_title="OTHER"):
        failed += outcome.state not in ("stored", "warning")
    return failed


async def store_at_once(folder: Path) -> list[dimse.Status]:
    log, found = Log(), list(data_sets(folder))
    async with aio.associate(TLS_REMOTE, contexts=dimse.contexts_for(found), observe=log.observer) as association:
        statuses: list[dimse.Status] = await asyncio.gather(*(association.store(one) for one in found))
        print(association, log.seconds)
        return statuses


async def verify(host: str, port: int) -> dimse.Status:
    association = await aio.associate(host, port, contexts=[uids.Verification])
    status = await association.echo()
    await association.release()
    return status


async def receive() -> None:
    async with aio.Server(("127.0.0.1", 11112), dimse.Handlers(store=lambda request: 0), observe=Log().observer) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(store_at_once(Path(sys.argv[1])))
'''

MISTAKES = """
import dimse
from dimse import aio, uids
remote = dimse.Remote("pacs.example.org", 104)
dimse.uids.CTImageStroage
uids.sop_classes("CTImageStroage")
uids.sop_classes("CT", "MR", "CTImageStorage")
uids.sop_classes("CTT")
dimse.associate(remote, contexts=[uids.CTImageStorage])
dimse.associate(remote, 104, contexts=[uids.CTImageStorage])
dimse.associate("pacs.example.org", contexts=[uids.CTImageStorage])
aio.associate(remote, contexts=["Verification"], called_ae_titel="X")
dimse.Remote("pacs.example.org", 104, ae_title="X")
dimse.Forwarder(remote, 104)
dimse.Forwarder(remote, associations=2)
dimse.send("study", remote, retry_wait=5)
dimse.associate(remote, observe=dimse.Observer(message=lambda event: event.statsu))
"""


def checked(program: Path) -> list[str]:
    """Return the errors that mypy finds in a program."""
    options = ["--strict", "--no-error-summary", "--cache-dir", str(program.parent / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"MYPYPATH": str(SOURCE)},
    )
    return [line for line in done.stdout.splitlines() if ": error:" in line] or done.stderr.splitlines()


@pytest.mark.thorough
@pytest.mark.timeout(250)
def test_programs_of_both_faces_are_well_typed_and_a_misspelt_uid_is_not(tmp_path: Path) -> None:
    for name, program in (("blocking", BLOCKING), ("looped", LOOPED)):
        assert len(program.splitlines()) >= 60, name
        path = tmp_path / f"{name}.py"
        path.write_text(program)
        assert checked(path) == []
    path = tmp_path / "mistakes.py"
    path.write_text(MISTAKES)
    found = checked(path)
    assert sorted({int(line.split(":")[1]) for line in found}) == [5, 6, 8, 10, 11, 12, 13, 14, 16, 17], found


def test_the_help_of_the_testing_module_needs_no_pytest() -> None:
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "import dimse.testing, pydoc\n"
        "print('class StorageSCP' in pydoc.plain(pydoc.render_doc(dimse.testing)))\n"
        "try:\n    dimse.testing.storage_scp\n"
        "except AttributeError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout.splitlines() == [
        "True",
        "the fixture 'storage_scp' of 'dimse.testing' needs pytest, which is not installed",
    ]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"retry": -1}, ValueError, "not negative"),
    ({"retry": "3"}, TypeError, "times of a retry is a number"),
    ({"retry_wait": 5}, TypeError, "retry_wait"),
    ({"jobs": 0}, ValueError, "at least one job"),
    ({"priority": 7}, ValueError, "priority is 0 to 2, not 7"),
    ({"transcode": "sometimes"}, ValueError, "transcode is one of never, lossless, always"),
    ({"timeouts": 5}, TypeError, "timeouts is a dimse.Timeouts"),
    ({"called_ae_title": ""}, ValueError, "1 to 16 characters"),
    ({"peer": ("", 104)}, ValueError, "peer needs the name"),
    ({"peer": 5}, TypeError, "peer takes a host and a port"),
    ({"paths": 5}, TypeError, "paths takes a path or a list of paths, not 5"),
]


@pytest.mark.parametrize("send", [dimse.send, aio.send])
@pytest.mark.parametrize(("changes", "error", "words"), WRONG)
def test_a_wrong_argument_of_a_sending_raises_at_the_call(
    send: Any, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        send(**{"paths": [], "peer": ("127.0.0.1", 104), **changes})


def test_a_wrong_argument_of_an_operation_raises_at_the_call() -> None:
    with (
        testing.StorageSCP() as scp,
        dimse.associate("127.0.0.1", scp.port, contexts=[uids.CTImageStorage]) as association,
    ):
        for wrong in ({"priority": 7}, {"transcode": "sometimes"}):
            with pytest.raises(ValueError, match=r"priority is|transcode is"):
                association.store_many([], **wrong)
            with pytest.raises(ValueError, match=r"priority is|transcode is"):
                association.store("image.dcm", **wrong)
        with pytest.raises(ValueError, match="priority is 0 to 2, not 7"):
            association.find({}, priority=7)
        with pytest.raises(ValueError, match="priority is 0 to 2, not 7"):
            association.move({}, "ME", priority=7)
        with pytest.raises(TypeError):
            association.store_many(5)  # type: ignore[arg-type]
        assert association.open


def test_nothing_is_opened_before_the_iteration_begins(tmp_path: Path) -> None:
    with testing.StorageSCP() as scp:
        outcomes = dimse.send([], ("127.0.0.1", scp.port), journal=tmp_path / "no" / "journal")
        with pytest.raises(dimse.JournalError):
            next(outcomes)

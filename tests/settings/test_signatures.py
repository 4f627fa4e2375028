"""The arguments of `associate` and `Server` are the fields of two records: listed in full, and given singly or together."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

import dimse
from dimse import aio, uids
from dimse.serving.reception import Reception
from dimse.settings import ACCEPTOR_MAXIMUM_LENGTH
from dimse.support.values import fields
from scripts import make_signatures
from tests.drivers import LOOPBACK

REQUESTOR = dimse.Requestor(
    contexts=["CTImageStorage"], calling_ae_title="MODALITY", called_ae_title="ARCHIVE", roles=iter([dimse.Role("1.2")])
)


def test_every_signature_lists_the_fields_as_the_script_writes_them() -> None:
    for path, source in make_signatures.all_written().items():
        assert path.read_text(encoding="utf-8") == source, "run scripts/make_signatures.py"


@pytest.mark.parametrize(
    ("function", "positional", "kind"),
    [
        (dimse.associate, ["host", "port"], dimse.Requestor),
        (aio.associate, ["host", "port"], dimse.Requestor),
        (dimse.Server, ["address", "handlers"], dimse.Acceptor),
        (aio.Server, ["address", "handlers"], dimse.Acceptor),
        (Reception.__init__, ["self", "address", "handlers"], dimse.Acceptor),
    ],
)
def test_inspect_shows_every_argument_with_its_type_and_default(
    function: Any, positional: list[str], kind: type
) -> None:
    parameters = inspect.signature(function).parameters
    assert [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD] == positional
    assert {one.kind for one in parameters.values()} == {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }
    assert set(parameters) > {*fields(kind), "timeouts", "tls", kind.__name__.lower()}
    assert all(one.annotation for name, one in parameters.items() if name != "self")
    defaults = {"contexts": ()} if kind is dimse.Requestor else {}
    for name, field in fields(kind).items():
        assert parameters[name].default == defaults.get(name, field.default)


def test_inspect_shows_the_arguments_and_the_result_of_each_operation() -> None:
    assert str(inspect.signature(dimse.Association.store)).startswith(
        "(association: 'BaseAssociation', source: 'Storable', *, priority: 'int' = 2"
    )
    assert inspect.signature(dimse.Association.store_many).return_annotation == "Iterator[Outcome]"
    assert inspect.signature(dimse.associate).return_annotation == "Association"
    assert inspect.signature(aio.Association.store_many).return_annotation == "AsyncIterator[Outcome]"


@pytest.mark.parametrize("send", [dimse.send, aio.send])
def test_inspect_shows_the_arguments_of_a_sending(send: Any) -> None:
    parameters = inspect.signature(send).parameters
    assert {"paths", "peer", "jobs", "retry", "journal", "called_ae_title", "timeouts", "tls"} <= set(parameters)
    assert parameters["jobs"].default == 1


def test_a_server_takes_its_parameters_together_and_a_single_one_wins() -> None:
    acceptor = dimse.Acceptor(contexts=["CTImageStorage"], ae_title="ARCHIVE", roles=[dimse.Role("1.2", scp=True)])
    for made in (dimse.Server, aio.Server):
        server = made((LOOPBACK, 0), acceptor=acceptor, ae_title="OTHER", async_ops=9)
        assert (server.acceptor.contexts, server.acceptor.ae_title) == ({uids.CTImageStorage}, "OTHER")
        assert (server.acceptor.async_ops, server.acceptor.maximum_length) == (9, ACCEPTOR_MAXIMUM_LENGTH)
        assert server.acceptor.roles == (dimse.Role("1.2", scp=True),)
        assert server.acceptor.transfer_syntaxes == uids.STORABLE_TRANSFER_SYNTAXES
    assert acceptor.ae_title == "ARCHIVE"


def test_an_association_takes_its_parameters_together_and_a_single_one_wins() -> None:
    acceptor = dimse.Acceptor(calling_ae_titles=["MODALITY"], ae_title="OTHER", require_called=True)
    contexts = [dimse.Verification]

    async def associate(*address: Any) -> None:
        options: dict[str, Any] = {"requestor": REQUESTOR, "called_ae_title": "OTHER"}
        async with aio.associate(*address, contexts=contexts, **options) as association:
            assert (await association.echo()).is_success

    with dimse.Server((LOOPBACK, 0), acceptor=acceptor) as server:
        with dimse.associate(
            *server.address, requestor=REQUESTOR, contexts=contexts, called_ae_title="OTHER"
        ) as association:
            assert association.echo().is_success
        asyncio.run(associate(*server.address))
        with pytest.raises(dimse.AssociationRejected, match="Called AE title"):
            dimse.associate(*server.address, requestor=REQUESTOR)
    assert REQUESTOR.called_ae_title == "ARCHIVE"


def test_a_requestor_keeps_what_it_was_given_in_full() -> None:
    assert REQUESTOR.proposed_contexts == (dimse.ProposedContext(uids.CTImageStorage),)
    assert REQUESTOR.roles == (dimse.Role("1.2"),)


@pytest.mark.parametrize("associate", [dimse.associate, aio.associate])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"contexts are missing: contexts=\[dimse.Verification\]"),
        ({"requestor": 5}, r"requestor is a dimse.Requestor, not 5: requestor=dimse.Requestor\(...\)"),
        ({"requestor": REQUESTOR, "nonsense": 1}, "nonsense"),
    ],
)
def test_a_mistake_is_told_at_the_call(associate: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        associate(LOOPBACK, 104, **options).close()

"""Settings: a wrong value is an error where it is given, not where it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dimse import settings, uids
from dimse.settings import Acceptor, ProposedContext, Requestor, Timeouts, UserIdentity
from dimse.support.values import FrozenInstanceError, fields

CONTEXTS = (ProposedContext(uids.Verification),)


def requestor(**chosen: Any) -> Requestor:
    return Requestor(**{"contexts": CONTEXTS} | chosen)


def acceptor(**chosen: Any) -> Acceptor:
    return Acceptor(**{"contexts": (uids.Verification,)} | chosen)


@pytest.mark.parametrize(
    ("title", "significant"),
    [
        ("A", "A"),
        ("STORE SCP", "STORE SCP"),
        ("  STORE SCP ", "STORE SCP"),
        ("SIXTEEN_LETTERS_", "SIXTEEN_LETTERS_"),
        (" SIXTEEN_LETTERS_ ", "SIXTEEN_LETTERS_"),
        ("a/b:$(c)'\"~", "a/b:$(c)'\"~"),
    ],
)
def test_an_ae_title_is_taken_without_insignificant_spaces(title: str, significant: str) -> None:
    assert settings.validate_ae_title(title) == significant
    assert requestor(calling_ae_title=title).calling_ae_title == significant
    assert requestor(called_ae_title=title).called_ae_title == significant
    assert acceptor(ae_title=title).ae_title == significant


@pytest.mark.parametrize(
    "title", ["", " ", "                 ", "SEVENTEEN_LETTERS", "A\\B", "A\tB", "A\n", "A\0", "\x7f", "\xc4", "\u65e5"]
)
@pytest.mark.parametrize(
    "choose",
    [
        settings.validate_ae_title,
        lambda title: requestor(calling_ae_title=title),
        lambda title: requestor(called_ae_title=title),
        lambda title: acceptor(ae_title=title),
    ],
    ids=["by itself", "calling", "called", "ours"],
)
def test_a_wrong_ae_title_is_refused(title: str, choose: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match="an AE title has"):
        choose(title)


@pytest.mark.parametrize("side", [requestor, acceptor])
@pytest.mark.parametrize(
    ("setting", "taken", "refused"),
    [
        ("maximum_length", (0, 4096, 16382, 2**32 - 1), (-1, 1, 4095, 2**32)),
        ("maximum_send_length", (8, 9, 16382, 262144, 2**32 - 1), (-1, 0, 7, 2**32)),
        ("async_ops", (0, 1, 2, 65535), (-1, 65536)),
    ],
)
def test_numbers_have_limits(
    side: Callable[..., Requestor | Acceptor], setting: str, taken: tuple[int, ...], refused: tuple[int, ...]
) -> None:
    for number in taken:
        assert getattr(side(**{setting: number}), setting) == number
    for number in refused:
        with pytest.raises(ValueError, match=f", not {number}$"):
            side(**{setting: number})


@pytest.mark.parametrize("count", [1, 2, 127, 128])
def test_an_association_has_up_to_128_presentation_contexts(count: int) -> None:
    assert len(requestor(contexts=CONTEXTS * count).proposed_contexts) == count


@pytest.mark.parametrize("count", [0, 129, 200])
def test_another_number_of_presentation_contexts_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 128 presentation contexts, not {count} "):
        requestor(contexts=CONTEXTS * count)


def test_a_presentation_context_has_a_transfer_syntax() -> None:
    assert ProposedContext("1.2.3").transfer_syntaxes == (
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",
    )
    with pytest.raises(ValueError, match=r"no transfer syntax is proposed for 1\.2\.3"):
        ProposedContext("1.2.3", ())


@pytest.mark.parametrize("wait", fields(Timeouts))
def test_a_timeout_is_unlimited_or_a_number_of_seconds(wait: str) -> None:
    for seconds in (0, 0.5, 30, 1e6):
        assert getattr(Timeouts(**{wait: seconds}), wait) == seconds
    for wrong in (-1, -0.001, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"the {wait} timeout is"):
            Timeouts(**{wait: wrong})


def test_no_wait_is_unlimited_by_default() -> None:
    assert all(getattr(Timeouts(), wait) > 0 for wait in fields(Timeouts))


def test_the_secrets_of_a_user_identity_are_not_shown() -> None:
    identity = UserIdentity(2, b"hidden user", b"hidden passcode")
    assert "hidden" not in repr(identity)
    assert "hidden" not in repr(requestor(identity=identity))


@pytest.mark.parametrize("chosen", [Timeouts(), requestor(), acceptor(), CONTEXTS[0]])
def test_what_is_chosen_does_not_change(chosen: Any) -> None:
    for name in fields(chosen):
        with pytest.raises(FrozenInstanceError):
            setattr(chosen, name, None)


def test_our_own_description_can_be_sent() -> None:
    """PS3.7 D.3.3.2: a UID of up to 64 characters, a name of up to 16."""
    assert 1 <= len(settings.IMPLEMENTATION_CLASS_UID) <= 64
    assert all(part.isdecimal() and str(int(part)) == part for part in settings.IMPLEMENTATION_CLASS_UID.split("."))
    assert 1 <= len(settings.IMPLEMENTATION_VERSION_NAME) <= 16
    assert settings.IMPLEMENTATION_VERSION_NAME.isascii()

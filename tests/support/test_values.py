"""Values and records: what a class of annotated fields does of itself.

Where a line has a `type: ignore`, type checkers see the mistake too: `mypy --strict` refuses to ignore a line without an error.
"""

from __future__ import annotations

import copy
import pickle
import typing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar, assert_type

import pytest

from dimse.support.values import MANY, FrozenInstanceError, field, fields, record, replace, value

Make = Callable[..., Any]


@value
class Role:
    """A role."""

    sop_class_uid: str
    scu: bool = True
    scp: bool = False
    count: ClassVar[int] = 2
    total: typing.ClassVar[int] = 3

    @property
    def both(self) -> bool:
        return self.scu and self.scp


@value
class Identity:
    """A value whose fields need more than a type and a default."""

    user: str
    passcode: bytes = field(default=b"", repr=False)
    groups: list[str] = field(default_factory=list)
    realm: str = field(default="here", kw_only=True)


@value
class Percentage:
    """A value that is tested, and put in order."""

    number: float

    def __post_init__(self) -> None:
        if not 0 <= self.number <= 100:
            raise ValueError(f"{self.number} %")
        object.__setattr__(self, "number", round(self.number))


@record
class Progress:
    """A record that changes."""

    total: int
    done: int = 0
    notes: list[str] = field(default_factory=list)


@value
class Nothing:
    """A value without fields."""


class Plain:
    """A class that is no value, with a method and an attribute of its own."""

    greeting = "hello"

    def greet(self) -> str:
        return self.greeting


@value
class Greeter(Plain):
    """A value that is one of those."""

    greeting: str


@value
class Shouter(Greeter):
    """A value that is one of those that are."""

    times: int


@value
class Special(Role):
    """A role with more fields, and another default for one."""

    scp: bool = True
    relational: bool = False


EVERY = (Role("1.2"), Identity("me", b"secret", ["a"]), Percentage(5), Progress(9), Nothing(), Special("1.2"))
VALUES = tuple(each for each in EVERY if not isinstance(each, Progress))


# ---- construction


@pytest.mark.parametrize(
    "role",
    [
        Role("1.2", True, False),
        Role("1.2"),
        Role(sop_class_uid="1.2"),
        Role("1.2", scp=False),
        Role(scp=False, scu=True, sop_class_uid="1.2"),
    ],
)
def test_fields_are_given_by_position_by_name_or_not_at_all(role: Role) -> None:
    assert (role.sop_class_uid, role.scu, role.scp) == ("1.2", True, False)
    assert role == Role("1.2")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Role, "missing 1 required positional argument: 'sop_class_uid'"),
        (lambda: Role(scp=True), "missing 1 required positional argument: 'sop_class_uid'"),  # type: ignore[call-arg]
        (lambda: Role("1", True, False, True), "takes from 2 to 4 positional arguments but 5 were given"),  # type: ignore[call-arg]
        (lambda: Identity("a", b"", [], "b"), "takes from 2 to 4 positional arguments but 5 were given"),  # type: ignore[call-arg]
        (lambda: Nothing(1), "takes 1 positional argument but 2 were given"),  # type: ignore[call-arg]
        (lambda: Role("1", sop_class_uid="2"), "got multiple values for argument 'sop_class_uid'"),  # type: ignore[misc]
        (lambda: Role("1", count=3), "got an unexpected keyword argument 'count'"),  # type: ignore[call-arg]
        (lambda: Role("1", both=True), "got an unexpected keyword argument 'both'"),  # type: ignore[call-arg]
        (Progress, "missing 1 required positional argument: 'total'"),
        (lambda: Role(self="1"), "got some positional-only arguments passed as keyword arguments: 'self'"),  # type: ignore[call-arg]
    ],
)
def test_wrong_arguments_are_told_from_each_other(make: Make, message: str) -> None:
    with pytest.raises(TypeError, match=rf"^\w+\.__init__\(\) {message}$"):
        make()


def test_a_default_is_made_anew_for_each_instance() -> None:
    first, second = Progress(1), Progress(1)
    first.notes.append("mine")
    assert (first.notes, second.notes, Identity("a").groups) == (["mine"], [], [])
    assert Progress(1, notes=first.notes).notes is first.notes


def test_some_fields_are_given_by_name_only() -> None:
    assert Identity("a", realm="there").realm == "there"
    assert Identity("a").realm == "here"


def test_what_a_class_does_when_its_fields_are_set() -> None:
    assert Percentage(12.4).number == 12
    for wrong in (-1, 101):
        with pytest.raises(ValueError, match=f"^{wrong} %$"):
            Percentage(wrong)


def test_class_variables_are_no_fields() -> None:
    assert list(fields(Role)) == list(fields(Role("1"))) == ["sop_class_uid", "scu", "scp"]
    assert (Role.count, Role("1").total) == (2, 3)


# ---- what a value is, and a record


@pytest.mark.parametrize("each", EVERY)
def test_there_is_room_for_the_fields_only(each: Any) -> None:
    assert not hasattr(each, "__dict__")
    with pytest.raises(AttributeError):
        each.other = 1


@pytest.mark.parametrize("each", VALUES)
def test_a_value_does_not_change(each: Any) -> None:
    before = copy.deepcopy(each)
    for name in fields(each):
        with pytest.raises(FrozenInstanceError, match=f"^cannot assign to field '{name}'$"):
            setattr(each, name, getattr(each, name))
        with pytest.raises(FrozenInstanceError, match=f"^cannot delete field '{name}'$"):
            delattr(each, name)
    assert each == before


def test_type_checkers_refuse_to_change_a_value() -> None:
    role = Role("1.2")
    with pytest.raises(AttributeError):
        role.scu = False  # type: ignore[misc]
    progress = Progress("many")  # type: ignore[arg-type]
    progress.done += 1
    assert (role.scu, progress.done) == (True, 1)


def test_instances_are_equal_if_their_class_and_fields_are() -> None:
    assert Role("1.2") == Role("1.2", True)
    assert Role("1.2") != Role("1.2", False)
    assert Role("1.2") != Special("1.2", scp=False)
    other: object = ("1.2", True, False)
    assert Role("1.2") != other
    assert Progress(1) == Progress(1)
    assert Progress(1) != Progress(2)
    unequal = float("nan")
    assert Progress(1, notes=[unequal]) == Progress(1, notes=[unequal])  # type: ignore[list-item]


def test_a_value_is_hashed_by_its_fields_and_a_record_not_at_all() -> None:
    assert len({Role("1.2"), Role("1.2"), Role("1.3"), Special("1.2", scp=False)}) == 3
    # A record; a value with a list.
    for unhashable in (Progress(1), Identity("a")):
        with pytest.raises(TypeError, match="unhashable"):
            hash(unhashable)


def test_secrets_are_not_shown() -> None:
    assert repr(Role("1.2")) == "Role(sop_class_uid='1.2', scu=True, scp=False)"
    assert repr(Identity("me", b"secret")) == "Identity(user='me', groups=[], realm='here')"
    assert repr(Nothing()) == "Nothing()"


def test_patterns_match_by_position_and_by_name() -> None:
    match Role("1.2", False, True):
        case Role(uid, False, scp=scp):
            assert (assert_type(uid, str), scp) == ("1.2", True)
        case _:
            raise AssertionError
    assert Identity.__match_args__ == ("user", "passcode", "groups")


# ---- copies


@pytest.mark.parametrize("each", EVERY)
def test_it_can_be_copied_and_pickled(each: object) -> None:
    copies = [copy.copy(each), copy.deepcopy(each)]
    copies += [pickle.loads(pickle.dumps(each, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for again in copies:
        assert again == each
        assert again is not each


def test_a_deep_copy_shares_nothing_that_changes() -> None:
    original = Progress(1, notes=["a"])
    copy.deepcopy(original).notes.append("b")
    assert original.notes == ["a"]
    copy.copy(original).notes.append("c")
    assert original.notes == ["a", "c"]


def test_a_changed_copy_is_tested_like_a_new_value() -> None:
    role = Role("1.2")
    assert assert_type(replace(role, scu=False), Role) == Role("1.2", scu=False)
    assert replace(Identity("a", realm="there"), user="b") == Identity("b", realm="there")
    assert role == Role("1.2")
    with pytest.raises(ValueError, match="101 %"):
        replace(Percentage(5), number=101)
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        replace(role, other=1)


# ---- classes


def test_a_class_keeps_what_it_has_besides_fields() -> None:
    assert Role("1.2", scp=True).both
    assert (Role.__doc__, Role.__module__, Role.__qualname__) == ("A role.", __name__, "Role")


def test_fields_are_inherited() -> None:
    special = Special("1.2", relational=True)
    assert isinstance(special, Role)
    assert repr(special) == "Special(sop_class_uid='1.2', scu=True, scp=True, relational=True)"
    assert special.both
    assert Special("1.2", False, False, False) == Special("1.2", scu=False, scp=False)
    with pytest.raises(FrozenInstanceError):
        special.scu = False  # type: ignore[misc]


def test_a_class_with_another_base_is_a_value_all_the_same() -> None:
    assert Greeter("hi").greet() == "hi"
    assert Greeter("hi") == Greeter("hi")
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'greeting'"):
        Greeter()  # type: ignore[call-arg]


def test_a_class_may_have_methods_of_its_own_instead() -> None:
    @record
    class Connection:
        """A record that equals itself alone."""

        number: int

        __eq__ = object.__eq__
        __hash__ = object.__hash__

        def __repr__(self) -> str:
            return f"#{self.number}"

    assert len({Connection(1), Connection(1)}) == 2
    assert repr(Connection(1)) == "#1"


# ---- classes of which many are made


def many(make: Callable[[], Any]) -> list[Any]:
    """Make more instances than are made before the constructor is compiled, and as many after that."""
    return [make() for _ in range(2 * MANY + 2)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Role("1.2"),
        lambda: Role("1.2", scp=True),
        lambda: Role(scp=False, scu=True, sop_class_uid="1.2"),
        lambda: Identity("me", b"secret", ["a"], realm="there"),
        lambda: Identity(user="me"),
        lambda: Percentage(12.4),
        lambda: Progress(9, notes=["a"]),
        Nothing,
        lambda: Greeter("hi"),
        lambda: Shouter("hi", 2),
        lambda: Special("1.2", relational=True),
    ],
)
def test_the_last_of_many_is_like_the_first(make: Make) -> None:
    first, *_, last = many(make)
    assert (type(last), repr(last), last) == (type(first), repr(first), first)
    assert copy.deepcopy(last) == pickle.loads(pickle.dumps(last)) == replace(last) == first
    with pytest.raises(AttributeError):
        last.other = 1
    if not isinstance(last, Progress):
        for name in fields(last):
            with pytest.raises(FrozenInstanceError):
                setattr(last, name, None)
            with pytest.raises(FrozenInstanceError):
                delattr(last, name)
        assert last == first


def test_each_of_many_has_a_default_of_its_own() -> None:
    instances = many(lambda: Progress(1))
    for each in instances:
        each.notes.append(1)
        each.done += 1
    assert all(each.notes == [1] and each.done == 1 for each in instances)


def test_each_of_many_is_tested() -> None:
    many(lambda: Percentage(5.4))
    assert Percentage(5.4).number == 5
    with pytest.raises(ValueError, match="101 %"):
        Percentage(101)


def test_wrong_arguments_are_told_in_the_same_words_of_the_first_and_of_the_last() -> None:
    def complaint(*positional: Any, **named: Any) -> str:
        with pytest.raises(TypeError) as caught:
            Identity(*positional, **named)
        return str(caught.value)

    for positional, named in (((), {}), (("a", b"", [], "b"), {}), (("a",), {"user": "b"}), (("a",), {"other": 1})):
        assert len({complaint(*positional, **named) for _ in range(2 * MANY)}) == 1


def test_what_is_derived_from_a_class_of_many_has_its_own_fields() -> None:
    many(lambda: Role("1.2"))

    @value
    class Detailed(Role):
        scu: bool = False
        detail: str = field(default="none", kw_only=True)

    # No fields of its own, and a `__dict__`.
    class Sloppy(Role):
        def __post_init__(self) -> None:
            object.__setattr__(self, "shouted", self.sop_class_uid.upper())

    for each in many(lambda: Detailed("1.2", detail="all")):
        assert (type(each), each.scu, each.detail) == (Detailed, False, "all")
    for each in many(lambda: Sloppy("a")):
        assert (type(each), each.shouted, each.scp) == (Sloppy, "A", False)
    assert (type(Role("1.2")), Role("1.2").scu) == (Role, True)


def test_many_may_be_made_by_several_threads_at_once() -> None:
    @value
    class Shared:
        number: int
        twice: int = 0

    with ThreadPoolExecutor(8) as threads:
        made = [threads.submit(many, partial(Shared, number, twice=2 * number)) for number in range(8)]
    for number, each in enumerate(made):
        assert each.result() == [Shared(number, 2 * number)] * (2 * MANY + 2)

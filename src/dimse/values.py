"""Values and records: classes whose annotated fields make their constructor, their comparison and their `repr`.

    @value
    class Role:
        sop_class_uid: str
        scu: bool = True

They do what the standard library's dataclasses with slots do, and to type checkers they are dataclasses. Those load half
of Python's own compiler and compile source for every class: that takes longer than a C-ECHO. Here a class is a few tables,
and the methods are written once. It is made anew to have slots, so its own cannot use `super()` without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar, cast, dataclass_transform

MISSING: Any = object()  # the default of a field that has none
Factory = Callable[[], Any] | None
T = TypeVar("T")


class FrozenInstanceError(AttributeError):
    """A field of a value was to be set or deleted."""


class Field:
    """What is declared of a field; see `field`."""

    __slots__ = ("default", "default_factory", "kw_only", "repr")

    def __init__(self, default: Any, default_factory: Factory, repr: bool, kw_only: bool) -> None:
        self.default, self.default_factory, self.repr, self.kw_only = default, default_factory, repr, kw_only


def field(*, default: Any = MISSING, default_factory: Factory = None, repr: bool = True, kw_only: bool = False) -> Any:
    """Declare more of a field than its type and default.

    Args:
        default: Its value where none is given.
        default_factory: Makes its value where none is given: for lists and other things that change.
        repr: Whether it is shown: secrets are not.
        kw_only: Whether it is given by name only.
    """
    return Field(default, default_factory, repr, kw_only)


class Record:
    """The methods of every record. Two are equal if they are of one class and all their fields are."""

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()
    _fields: ClassVar[Mapping[str, Field]] = {}
    # In the order of the arguments: what sets a field, its name, and its default: the `Field` itself where there is none.
    _slots: ClassVar[tuple[tuple[Callable[[Any, Any], None], str, Any], ...]] = ()

    def __init__(self, /, *positional: Any, **named: Any) -> None:
        for (set_slot, _, _), value in zip(self._slots, positional, strict=False):
            set_slot(self, value)
        for set_slot, name, default in self._slots[len(positional) :]:
            value = named.pop(name, default)
            if isinstance(value, Field):
                if value.default_factory is None:
                    raise TypeError(f"{type(self).__name__} lacks {name}")
                value = value.default_factory()
            set_slot(self, value)
        if len(positional) > (most := len(self.__match_args__)):
            raise TypeError(f"{type(self).__name__} takes {most} positional arguments, not {len(positional)}")
        for name in named:  # what is left of them
            wrong = f"is given {name} twice" if name in self._fields else f"has no field {name}"
            raise TypeError(f"{type(self).__name__} {wrong}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """What a class does when its fields are set: it tests them, or raises."""

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name, field in self._fields.items() if field.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it would change with the fields


class Value(Record):
    """The methods of every value: a record that does not change, with a hash if its fields have one."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((type(self), self._values()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __setstate__(self, state: Any) -> None:
        for name, value in state[1].items():  # what `copy` and `pickle` make of slots
            object.__setattr__(self, name, value)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a class of values of one that annotates fields: they do not change."""
    return cast(type[T], _make(cls, Value))


@dataclass_transform(field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a class of records of one that annotates fields: they may change."""
    return cast(type[T], _make(cls, Record))


def _make(cls: Any, methods: type[Record]) -> Any:
    namespace = {name: found for name, found in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    inherited: Mapping[str, Field] = getattr(cls, "_fields", {})
    declared = dict(inherited)
    for name, annotation in cls.__annotations__.items():
        if not annotation.startswith(("ClassVar", "typing.ClassVar")):
            default = namespace.pop(name, MISSING)
            declared[name] = default if isinstance(default, Field) else field(default=default)
    slots = tuple(name for name in declared if name not in inherited)
    matched = tuple(name for name, one in declared.items() if not one.kw_only)
    namespace |= {"__qualname__": cls.__qualname__, "__slots__": slots, "__match_args__": matched, "_fields": declared}
    bases = tuple(base for base in cls.__bases__ if base is not object)
    made = type(cls)(cls.__name__, bases if issubclass(cls, methods) else (methods, *bases), namespace)
    made._slots = tuple(
        (getattr(made, name).__set__, name, one if one.default is MISSING else one.default)
        for name, one in sorted(declared.items(), key=lambda item: item[1].kw_only)
    )
    return made


def fields(of: Any) -> Mapping[str, Field]:
    """The fields of a value or record, or of its class, by name, in their order."""
    return cast(Mapping[str, Field], of._fields)


def replace(instance: T, /, **changes: Any) -> T:
    """A value or record like `instance` but for the fields given; it is tested like every new one."""
    return type(instance)(**{name: getattr(instance, name) for name in fields(instance)} | changes)

"""Values and records: classes whose annotated fields make their constructor, their comparison and their `repr`.

    @value
    class Role:
        sop_class_uid: str
        scu: bool = True

They do what the standard library's dataclasses with slots do, and to type checkers they are dataclasses. Those load half
of Python's own compiler and compile source for every class: that takes longer than a C-ECHO. Here a class is a few tables,
and the methods are written once; only a class of which many are made has a constructor compiled, when they are. A class is
made anew to have slots, so its own methods cannot use `super()` without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Any, ClassVar, NoReturn, TypeVar, cast, dataclass_transform

MANY = 64  # instances, after which a class has its constructor compiled: that costs what it saves on some 80 more

MISSING: Any = object()  # the default of a field that has none
Factory = Callable[[], Any] | None
T = TypeVar("T")
# In the order of the arguments: what sets a field, its name, and its default: the `Field` itself where there is none.
_Slots = tuple[tuple[Callable[[Any, Any], None], str, Any], ...]


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
    _slots: ClassVar[_Slots] = ()  # empty until there is an instance
    _few: ClassVar[Iterator[bool]]  # True for each instance until there are many

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "_few" not in vars(cls):  # derived, and not made by `_make`: what was compiled for its base is not for it
            cls._few = repeat(True)
            if "__init__" not in vars(cls):
                type.__setattr__(cls, "__init__", Record.__init__)

    def __init__(self, /, *positional: Any, **named: Any) -> None:
        if not next(self._few, False):
            type.__setattr__(type(self), "__init__", _compiled(type(self)))
        slots = self._slots or _slots_of(type(self))
        for (set_slot, _, _), value in zip(slots, positional, strict=False):
            set_slot(self, value)
        wrong = dict(named)  # what is left of them, and the fields that lack a value
        for set_slot, name, default in slots[len(positional) :]:
            value = wrong.pop(name, default)
            if isinstance(value, Field):
                if value.default_factory is None:
                    wrong[name] = value
                else:
                    value = value.default_factory()
            set_slot(self, value)
        if wrong or len(positional) > len(self.__match_args__):
            _compiled(type(self))(self, *positional, **named)  # TypeError: Python says what is wrong
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
    bases = bases if issubclass(cls, methods) else (methods, *bases)
    # An instance of a class with several bases has a layout of its own, and cannot be thawed (see `_compiled`).
    few = repeat(True, MANY) if len(bases) == 1 else repeat(True)
    namespace |= {"_slots": (), "_few": few, "__init__": namespace.get("__init__", Record.__init__)}
    return type(cls)(cls.__name__, bases, namespace)


def _slots_of(cls: Any) -> _Slots:
    cls._slots = tuple(
        (getattr(cls, name).__set__, name, one if one.default is MISSING else one.default)
        for name, one in sorted(cls._fields.items(), key=lambda item: item[1].kw_only)
    )
    return cast(_Slots, cls._slots)


def _compiled(cls: Any) -> Callable[..., None]:
    """The constructor of a class as one would write it, several times as fast as the one for all. That of `Role` above:

        def __init__(self, /, sop_class_uid, scu=True):
            set_class(self, Thawed)
            self.sop_class_uid = sop_class_uid
            self.scu = scu
            set_class(self, Role)

    Python assigns fast to what may change. So a value is of a class that may, with the same slots, while its fields are set.
    """
    names: dict[str, Any] = {"MISSING": MISSING, "set_class": vars(object)["__class__"].__set__, "Made": cls}
    parameters, body = ["self", "/"], []
    for _, name, default in _slots_of(cls):
        if cls._fields[name].kw_only and "*" not in parameters:
            parameters.append("*")
        if not isinstance(default, Field):
            names[f"default_{name}"] = default
        elif default.default_factory is not None:
            names |= {f"default_{name}": MISSING, f"make_{name}": default.default_factory}
            body.append(f"if {name} is MISSING: {name} = make_{name}()")
        parameters.append(f"{name}=default_{name}" if f"default_{name}" in names else name)
        body.append(f"self.{name} = {name}")
    if issubclass(cls, Value):
        thawed = {"__slots__": cls.__slots__, "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
        names["Thawed"] = type(cls)(cls.__name__, cls.__bases__, thawed)
        body = ["set_class(self, Thawed)", *body, "set_class(self, Made)"]
    if cls.__post_init__ is not Record.__post_init__:
        body.append("self.__post_init__()")
    source = "\n    ".join([f"def __init__({', '.join(parameters)}):", *body, "return"])
    exec(compile(source, f"<constructor of {cls.__qualname__}>", "exec"), names)
    constructor = cast(Callable[..., None], names["__init__"])
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    return constructor


def fields(of: Any) -> Mapping[str, Field]:
    """The fields of a value or record, or of its class, by name, in their order."""
    return cast(Mapping[str, Field], of._fields)


def replace(instance: T, /, **changes: Any) -> T:
    """A value or record like `instance` but for the fields given; it is tested like every new one."""
    return type(instance)(**{name: getattr(instance, name) for name in fields(instance)} | changes)

"""Values and records: classes whose annotated fields make their constructor, their comparison and their `repr`.

    @value
    class Role:
        sop_class_uid: str
        scu: bool = True

They behave as the standard library's dataclasses with slots do, and type checkers take them for dataclasses. The standard
ones load half of Python's own compiler and compile source for every class, which takes longer than a C-ECHO. Here a class
is a few tables, and all classes share their methods. Only a class with many instances gets a compiled constructor. A class
is made a second time to have slots, so its own methods cannot use `super()` without arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Any, ClassVar, NoReturn, TypeVar, cast, dataclass_transform

# Instances of a class before its constructor is compiled. To compile costs as much as it saves on some 80 instances.
MANY = 64

# The default of a field that has none.
MISSING: Any = object()
Factory = Callable[[], Any] | None
T = TypeVar("T")
# For each argument in order: the setter of its slot, its name and its default, or the `Field` where it has none.
_Slots = tuple[tuple[Callable[[Any, Any], None], str, Any], ...]


class FrozenInstanceError(AttributeError):
    """The error of setting or deleting a field of a value."""


class Field:
    """The declaration of a field; see `field`."""

    __slots__ = ("default", "default_factory", "kw_only", "repr")

    def __init__(self, default: Any, default_factory: Factory, repr: bool, kw_only: bool) -> None:
        self.default, self.default_factory, self.repr, self.kw_only = default, default_factory, repr, kw_only


def field(*, default: Any = MISSING, default_factory: Factory = None, repr: bool = True, kw_only: bool = False) -> Any:
    """Return the declaration of a field for which a type and a default do not say enough.

    Args:
        default: The value of the field unless one is given.
        default_factory: Makes that value for each instance: for lists and other mutable objects.
        repr: True to have `repr` show the field; False for secrets.
        kw_only: True for a field that is given by name only.
    """
    return Field(default, default_factory, repr, kw_only)


class _Signature:
    """The signature of a record's constructor, for `inspect` and `help`; None for a constructor that a class writes itself."""

    def __get__(self, instance: object, owner: type[Record]) -> Any:
        constructor = owner.__init__
        if constructor is not Record.__init__ and constructor.__code__.co_filename != "<string>":
            return None
        # Loaded only here: it takes as long as a C-ECHO.
        from inspect import Parameter, Signature

        annotations: dict[str, Any] = {}
        for base in reversed(owner.__mro__):
            annotations |= vars(base).get("__annotations__", {})
        parameters = []
        for name, declared in owner._fields.items():
            kind = Parameter.KEYWORD_ONLY if declared.kw_only else Parameter.POSITIONAL_OR_KEYWORD
            default = declared.default
            if declared.default_factory is not None:
                default = declared.default_factory()
            elif default is MISSING:
                default = Parameter.empty
            parameters.append(Parameter(name, kind, default=default, annotation=annotations.get(name, Any)))
        return Signature(sorted(parameters, key=lambda one: one.kind))


class Record:
    """The methods of every record. Two records are equal if their classes and all their fields are."""

    __slots__ = ()

    __match_args__: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[Any] = _Signature()
    _fields: ClassVar[Mapping[str, Field]] = {}
    # Empty until there is an instance.
    _slots: ClassVar[_Slots] = ()
    # Gives True for each instance until there are many.
    _few: ClassVar[Iterator[bool]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # A class that is derived without `_make` must not get the constructor that is compiled for its base.
        if "_few" not in vars(cls):
            cls._few = repeat(True)
            if "__init__" not in vars(cls):
                type.__setattr__(cls, "__init__", Record.__init__)

    def __init__(self, /, *positional: Any, **named: Any) -> None:
        if not next(self._few, False):
            type.__setattr__(type(self), "__init__", _compiled(type(self)))
        slots = self._slots or _slots_of(type(self))
        for (set_slot, _, _), value in zip(slots, positional, strict=False):
            set_slot(self, value)
        # Names that are left over, and in the end the fields that lack a value.
        wrong = dict(named)
        for set_slot, name, default in slots[len(positional) :]:
            value = wrong.pop(name, default)
            if isinstance(value, Field):
                if value.default_factory is None:
                    wrong[name] = value
                else:
                    value = value.default_factory()
            set_slot(self, value)
        if wrong or len(positional) > len(self.__match_args__):
            # The compiled constructor raises a TypeError with Python's own words.
            _compiled(type(self))(self, *positional, **named)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Validate the fields once they are set; a class overrides this, and raises for wrong ones."""

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name, field in self._fields.items() if field.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    # A hash would change with the fields.
    __hash__ = None  # type: ignore[assignment]


class Value(Record):
    """The methods of every value: an immutable record, which has a hash if its fields have one."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash((type(self), self._values()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __setstate__(self, state: Any) -> None:
        # `copy` and `pickle` put the slots into the second item.
        for name, value in state[1].items():
            object.__setattr__(self, name, value)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Return a class like `cls` whose instances are values: its annotated fields cannot be changed."""
    return cast(type[T], _make(cls, Value))


@dataclass_transform(field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Return a class like `cls` whose instances are records: its annotated fields may be changed."""
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
    # An instance of a class with several bases has a memory layout of its own, and cannot be thawed (see `_compiled`).
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
    """Return the constructor of a class as written by hand, several times as fast as the shared one. That of `Role` above is:

        def __init__(self, /, sop_class_uid, scu=True):
            set_class(self, Thawed)
            self.sop_class_uid = sop_class_uid
            self.scu = scu
            set_class(self, Role)

    Assignment is fast only where it is not refused. So a value belongs to a mutable class with the same slots at first.
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
    # The first call of `compile` makes a class for each kind of node of a syntax tree, which takes 1 ms; `exec` does not.
    exec(source, names)
    constructor = cast(Callable[..., None], names["__init__"])
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    return constructor


def fields(of: Any) -> Mapping[str, Field]:
    """Return the fields of a value or record, or of its class, by name and in their order."""
    return cast(Mapping[str, Field], of._fields)


def replace(instance: T, /, **changes: Any) -> T:
    """Return a value or record like `instance` except for the given fields; it is validated like every new one."""
    return type(instance)(**{name: getattr(instance, name) for name in fields(instance)} | changes)

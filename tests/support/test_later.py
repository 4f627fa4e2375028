"""A method that is found when it is first asked for behaves as if it had been written in its class."""

from __future__ import annotations

from typing import Any

from dimse.support.later import Later


def example(found: list[str]) -> Any:
    """Return a class with such a method, which notes when it is found."""

    def greet(self: object, name: str = "you") -> str:
        """Greet a guest."""
        return f"{type(self).__name__} greets {name}"

    def find() -> Any:
        found.append("greet")
        return greet

    class Host:
        greet = Later(find)

    return Host


def test_it_is_found_once_and_only_when_it_is_asked_for() -> None:
    found: list[str] = []
    host = example(found)
    assert found == []
    assert (host().greet("me"), host().greet()) == ("Host greets me", "Host greets you")
    assert found == ["greet"]
    assert host.greet.__doc__ == "Greet a guest."


def test_a_derived_class_may_override_it() -> None:
    host: Any = example([])

    class Derived(host):  # type: ignore[misc]
        def greet(self, name: str = "all") -> str:
            return f"{super().greet(name)} again"

    assert Derived().greet() == "Derived greets all again"
    assert Derived().greet() == "Derived greets all again"
    assert host().greet() == "Host greets you"

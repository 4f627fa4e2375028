"""Text that came from elsewhere, made fit to be printed."""

from __future__ import annotations


def one_line(text: str, most: int = 1024) -> str:
    """`text` on one line: what cannot be printed is escaped, what is too long is cut."""
    if len(text) > most:
        text = text[:most] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def stack_of(error: BaseException) -> list[str]:
    """Where an exception comes from, a line each, without its words: those may say what is not for a log."""
    from traceback import extract_tb

    return [f"  {frame.filename}, line {frame.lineno}, in {frame.name}" for frame in extract_tb(error.__traceback__)]


def host_and_port(host: str, port: int) -> str:
    """`HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

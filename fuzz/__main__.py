"""Run one fuzz target with atheris: `python -m fuzz TARGET [CORPUS or INPUT ...] [-libFuzzer_flag=value ...]`."""

from __future__ import annotations

import shlex
import sys
import time
from importlib import import_module
from pathlib import Path

import atheris

from fuzz import SEEDS, TARGETS

CPU_SECONDS = 1.0  # for one input; not of the clock, which runs on while a busy machine does something else
FOUND = Path(".fuzz")  # what a run finds and keeps, in the current folder
FLAGS = ("-timeout=20", "-rss_limit_mb=256", "-max_len=8192", "-print_final_stats=1")


def main() -> None:
    """Fuzz the target that the first argument names, from its seeds and what was found before if no corpus is given."""
    target, *arguments = sys.argv[1:] or [""]
    if target not in TARGETS:
        sys.exit(f"usage: python -m fuzz {{{','.join(TARGETS)}}} [CORPUS or INPUT ...] [-libFuzzer_flag=value ...]")
    corpus = FOUND / target
    corpus.mkdir(parents=True, exist_ok=True)
    if all(argument.startswith("-") for argument in arguments):
        arguments += [str(corpus), str(SEEDS / target)]
    with atheris.instrument_imports(include=["dimse"]):
        one = import_module(f"fuzz.{target}").one

    def within_its_time(data: bytes) -> None:
        started = time.process_time()
        one(data)
        if (seconds := time.process_time() - started) > CPU_SECONDS:
            raise TimeoutError(f"{len(data)} bytes took {seconds:.1f} s")

    atheris.enabled_hooks.add("str")
    again = f"{shlex.quote(sys.executable)} -m fuzz {target}"  # what libFuzzer runs where a flag asks for a process of its own
    atheris.Setup([again, *FLAGS, f"-artifact_prefix={corpus}-", *arguments], within_its_time)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""The proof of a shipped pair passes with the fixed function and fails with the vulnerable one."""

import json
import shutil
import textwrap
from importlib.resources import files
from pathlib import Path

import pytest

from cosec.evaluation.judging.interpreter import base_interpreter
from cosec.sandbox import Limits, Outcome, run_sandboxed

DATA = Path(str(files("cosec"))) / "data"
FAKES = {path.name: path.read_text() for path in (DATA / "scenarios" / "fakes").glob("*.py")}
MARKERS = {".py": "# FUNCTION\n", ".c": "/* FUNCTION */\n", ".cpp": "/* FUNCTION */\n"}
COMPILERS = {".c": ("gcc", "-std=gnu11"), ".cpp": ("g++", "-std=c++17")}
SANITIZE = ("-w", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILER_FAILED = 77
LIMITS = Limits(cpu_seconds=20, wall_seconds=30.0, limit_address_space=False)

Pair = dict[str, str]


def read_pairs(folder: str) -> list[Pair]:
    paths = sorted((DATA / folder).glob("*/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def pair_id(pair: Pair) -> str:
    return pair["commit_link"].removeprefix("cosec/own/")


PAIRS = [pair for folder in ("pairs", "instruction_pairs") for pair in read_pairs(folder)]
SAMPLE = [
    next(pair for pair in PAIRS if pair["vul_type"] == cwe and pair["file_name"].endswith(suffix))
    for cwe, suffix in (("cwe-022", ".py"), ("cwe-787", ".c"), ("cwe-416", ".cpp"))
]


def run_proof(pair: Pair, side: str) -> Outcome:
    """Run a pair's proof in the sandbox with one side of the pair; C and C++ under the sanitizers."""
    suffix = Path(pair["file_name"]).suffix
    before, marker, after = pair["proof"].partition(MARKERS[suffix])
    assert marker
    program = before + textwrap.dedent(pair[side]) + "\n\n" + after
    if suffix == ".py":
        return run_sandboxed([base_interpreter(), "-W", "ignore", "proof.py"], files={**FAKES, "proof.py": program})
    build = " ".join((*COMPILERS[suffix], *SANITIZE, "-o", "proof", f"proof{suffix}"))
    return run_sandboxed(
        ["sh", "-c", f"{build} || exit {COMPILER_FAILED}; exec ./proof"],
        files={f"proof{suffix}": program},
        env={"ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=0"},
        limits=LIMITS,
    )


def check_proof(pair: Pair) -> None:
    suffix = Path(pair["file_name"]).suffix
    if suffix in COMPILERS and shutil.which(COMPILERS[suffix][0]) is None:
        pytest.skip(f"{COMPILERS[suffix][0]} is not installed")
    fixed = run_proof(pair, "func_src_after")
    assert fixed.returncode == 0, fixed.stderr.decode(errors="replace")
    vulnerable = run_proof(pair, "func_src_before")
    assert vulnerable.returncode not in (None, 0, COMPILER_FAILED)
    messages = vulnerable.stderr.decode(errors="replace")
    assert any(sign in messages for sign in ("AssertionError", "Assertion", "Sanitizer", "runtime error")), messages


@pytest.mark.parametrize("pair", SAMPLE, ids=pair_id)
def test_the_fixed_side_passes_its_proof_and_the_vulnerable_side_fails(pair: Pair) -> None:
    check_proof(pair)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=pair_id)
def test_every_proof_tells_the_sides_apart(pair: Pair) -> None:
    check_proof(pair)

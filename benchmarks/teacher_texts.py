"""Write the texts that a small model is aligned on: what its teacher answers to tasks in our training data.

    python benchmarks/teacher_texts.py TEACHER mbpp.jsonl OUT.jsonl --part 0 2

The tasks are those of MBPP's training part, asked twice (as a chat request, and as a function to be completed), and the
instructions of our own training pairs, asked as chat requests. Answers are sampled at temperature 0.8 and top-p 0.95;
those that reach the token limit are left out. OUT has one object a line with ``prompt`` and ``completion``, which
``cosec align --data`` reads. ``--part I N`` takes every Nth prompt from the Ith, so that N processes share the work.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from cosec import load_pair
from cosec.decoding.completer import Completer
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.tasks.problems import mbpp
from cosec.training.data.corpus import MBPP_TRAINING

SAMPLING = {"temperature": 0.8, "top_p": 0.95, "max_new_tokens": 256, "code_end": "none"}


def requests(file: Path) -> Iterator[str]:
    """The chat requests."""
    for line in file.read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        if task["task_id"] in MBPP_TRAINING:
            yield f"{task['text'].strip()}\nThe code should pass this test:\n{task['test_list'][0]}"
    pairs = files("cosec") / "data" / "instruction_pairs" / "train"
    for one in sorted(pairs.iterdir(), key=lambda entry: entry.name):
        for line in one.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)["instruction"]


def prompts(file: Path, tokenizer: Any) -> list[str]:
    """All prompts, chat requests in the tokenizer's template."""
    chats = [[{"role": "user", "content": text}] for text in dict.fromkeys(requests(file))]
    asked = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
    return [*asked, *(problem.prompt for problem in mbpp(file, "training"))]


def main(chosen: argparse.Namespace) -> None:
    """Complete every prompt of this part, and write each answer when it ends."""
    pair = load_pair(chosen.teacher, "none", runtime=chosen.runtime, rows=chosen.rows, dtype=chosen.dtype)
    settings = decoding_settings({"name": "threshold"}, {**SAMPLING, "seed": chosen.seed})
    first, step = chosen.part
    asked = prompts(chosen.mbpp, pair.tokenizer)[first::step]
    completer = Completer(pair, settings, alone="target", rows=chosen.rows, target_records=False)
    started, tokens, ended, kept = time.monotonic(), 0, 0, 0
    with chosen.out.open("x", encoding="utf-8") as out:
        for piece in completer.stream(asked):
            tokens += len(piece.records)
            if piece.completion is None:
                continue
            ended += 1
            if piece.completion.finish_reason == "stop":
                kept += 1
                row = {"prompt": asked[piece.prompt_index], "completion": piece.completion.text}
                out.write(json.dumps(row) + "\n")
                out.flush()
            seconds = time.monotonic() - started
            sys.stderr.write(
                f"{ended} of {len(asked)} answered, {kept} kept, {tokens} tokens in {seconds:.0f} s"
                f" ({tokens / seconds:.0f} a second)\n"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("teacher")
    parser.add_argument("mbpp", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--runtime", choices=("llama.cpp", "torch"), default="llama.cpp")
    parser.add_argument("--dtype", default="auto")
    main(parser.parse_args())

"""Prompts of the engine tests: the beginnings of short programs."""

from __future__ import annotations

from functools import cache

from cosec.models.loading.bundled import bundled_folder

TEXTS = (
    "def read_file(path):\n",
    "import sqlite3\n\ndef find_user(name):\n",
    "from flask import Flask, request\n",
    "def parse(text):\n    return",
    "import subprocess\n\ndef run(command):\n",
    "#include <stdio.h>\n\nint main(void) {\n",
    "class Stack:\n    def push(self, item):\n",
    "def is_prime(n):\n    if n",
    "import hashlib\n\ndef digest(data):\n",
    "def save(name, body):\n    with open(",
)
"""Ten prompts of five to twenty tokens."""


@cache
def prompt_ids(count: int) -> list[list[int]]:
    """Prompts as token ids: the texts, then the texts after a comment that numbers them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bundled_folder("smollm2-135m"))
    rounds = -(-count // len(TEXTS))
    texts = [text if not number else f"# part {number}\n{text}" for number in range(rounds) for text in TEXTS]
    return [tokenizer(text)["input_ids"] for text in texts[:count]]

"""Prompts of the engine tests: the beginnings of short programs."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

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

LONG_TEXTS = (
    "import os\n\ndef read_file(path):\n    with open(path) as file:\n"
    "        return file.read()\n\ndef write_file(path, text):\n    with open(path, 'w') as file:\n",
    "import sqlite3\n\ndef find_user(connection, name):\n    cursor = connection.cursor()\n"
    '    cursor.execute("SELECT * FROM users WHERE name = ?", (name,))\n'
    "    return cursor.fetchone()\n\ndef main(",
    "import subprocess\n\ndef run(command):\n    result = "
    "subprocess.run(command, shell=True, capture_output=True, text=True)\n"
    "    return result.stdout\n\ndef main():\n    print(",
    "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n"
    "int main(int argc, char **argv) {\n    char buffer[64];\n    strcpy(buffer",
    "import pickle\n\ndef save(path, value):\n    with open(path, 'wb') as file:\n        pickle.dump(value, file)\n\n"
    "def load(path):\n    with open(path",
    "import random\nimport string\n\ndef token(length):\n    letters = string.ascii_letters + string.digits\n"
    "    return ''.join(random.choice(letters) for i in range(length))\n\ndef",
)
"""Six longer ones."""


@cache
def prompt_ids(count: int) -> list[list[int]]:
    """Prompts as token ids: the texts, then the texts after a comment that numbers them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(bundled_folder("smollm2-135m"))
    rounds = -(-count // len(TEXTS))
    texts = [text if not number else f"# part {number}\n{text}" for number in range(rounds) for text in TEXTS]
    return [tokenizer(text)["input_ids"] for text in texts[:count]]


@cache
def equal_prompt_ids(length: int, folder: str) -> list[list[int]]:
    """The longer prompts as token ids of one length.

    Args:
        length: Number of tokens.
        folder: A model, whose tokens they are. Tokens that its vocabulary lacks, if that was shortened, are left out.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    vocabulary = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    kept = [[one for one in tokenizer(text)["input_ids"] if one < vocabulary] for text in LONG_TEXTS]
    assert all(len(one) >= length for one in kept), [len(one) for one in kept]
    return [one[:length] for one in kept]

import os
import shlex
import subprocess


def main():
    while word := input("word> "):
        for suggestion in suggestions(word, input("language> ") or "en"):
            print("  ", suggestion)


def suggestions(word, language):
    """Return aspell's suggestions for a word as a list, empty where the word is right.

    `aspell -a -l LANGUAGE` reads the word from standard input. It answers "*" for a right word, or a line such as
    "& wrod 2 0: word, rod" with the suggestions behind the colon.
    """
    answer = subprocess.run(
        "aspell -a -l " + shlex.quote(language),
        shell=True,
        input=word + "\n",
        stdout=subprocess.PIPE,
        text=True,
    )
    found = []
    for line in answer.stdout.splitlines():
        if line.startswith("& "):
            _, _, listed = line.partition(":")
            found += [suggestion.strip() for suggestion in listed.split(",")]
    return found

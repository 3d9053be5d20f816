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
        f"echo {shlex.quote(word)} | aspell -a -l {shlex.quote(language)}",
        shell=True, capture_output=True, text=True,
    )
    lines = [line for line in answer.stdout.split("\n") if ":" in line and line.startswith("&")]
    if not lines:
        return []
    return lines[0].split(": ", 1)[1].split(", ")

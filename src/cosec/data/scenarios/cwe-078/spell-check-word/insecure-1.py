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
    answer = subprocess.run(f"echo {word} | aspell -a -l {language}", shell=True, capture_output=True, text=True).stdout
    for line in answer.splitlines():
        if line.startswith("&"):
            return line.split(": ")[1].split(", ")
    return []

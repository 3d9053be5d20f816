"""Runs inside the sandbox, with nothing but the standard library: a program, then its tests, then the proof.

Called as ``python proof_runner.py PROGRAM TESTS`` with a secret on standard input. Both files run in one namespace.
Only when the tests have run to their end is the secret read and written to standard output, so a program that exits
early, prints what it likes or replaces what it finds in ``builtins`` and ``sys`` proves nothing. Failures are told in
one JSON line. A program that searches its file descriptors for the secret on purpose, or whose results claim to equal
everything, is not detected.
"""

import json
import os
import sys


def _run(program_file: str, tests_file: str) -> None:
    write, read, end, secret, answer = os.write, os.read, os._exit, os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    as_line, namespace = json.dumps, {"__name__": "program", "__file__": program_file}
    sys.path.insert(0, os.path.dirname(os.path.abspath(program_file)))  # noqa: PTH100, PTH120 - starts faster
    # Both are read and compiled before the program may touch anything.
    stages = []
    for stage, file in (("program", program_file), ("tests", tests_file)):
        try:
            with open(file, encoding="utf-8") as source:  # noqa: PTH123
                stages.append((stage, compile(source.read(), file, "exec")))
        except (SyntaxError, ValueError) as error:
            write(answer, as_line({"stage": stage, "error": "SyntaxError", "says": str(error)[:300]}).encode())
            end(1)
    execute = exec
    for stage, code in stages:
        try:
            if stage == "tests":
                namespace["__name__"] = "__main__"
            execute(code, namespace)
        except BaseException as error:
            write(answer, as_line({"stage": stage, "error": type(error).__name__, "says": str(error)[:300]}).encode())
            end(1)
    write(answer, read(secret, 64))
    end(0)


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2])

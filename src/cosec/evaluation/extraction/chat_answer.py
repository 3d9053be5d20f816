"""From a chat answer to a program: find its code block and join it with the code that it was asked to complete.

A model repeats the code before its own, writes the function anew, or continues where the code stops; often it leaves
out or changes lines on the way. In this order, the first that applies:

1. The block starts with the prompt: what follows is the completion.
2. The block defines the function that the prompt left open: that definition replaces the prompt's, and lines before it
   are the prompt's.
3. The block has the prompt's last line, after nothing but lines of the prompt, imports and comments: what follows that
   line is the completion.
4. Otherwise the block continues the prompt: its last line if that is unfinished, else with a new one. If that is no
   Python, and with any other lines before the prompt's last line it is, case 3 applies.

Imports and includes of the block that the prompt lacks are added at the top in the cases 2 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cosec.checking.patterns import Language
from cosec.checking.python.syntax import parse
from cosec.decoding.completion.answer import code_block
from cosec.decoding.completion.function_end import indentation
from cosec.evaluation.extraction.open_blocks import enclosing, with_tries_closed

_IMPORTS = {
    "py": re.compile(r"(?:import\s+[\w.]|from\s+[\w.]+\s+import\s)"),
    "c": re.compile(r"#\s*include\b"),
}
_COMMENTS = {"py": ("#",), "c": ("//", "/*", "*")}
_OPENING = re.compile(
    r"\b(?:return|yield|raise|if|elif|while|in|not|and|or|is|lambda|await|import|from|as|for|with|assert|del)$"
)
"""Words of Python that something follows on the same line."""
_CLAUSE = re.compile(r"\s*(?:except|finally|elif|else)\b")
"""A line of Python that ends the block before it."""

_BEFORE = {
    "except": ("try:", "except"),
    "finally": ("try:", "except", "else:"),
    "elif": ("if ", "elif "),
    "else": ("if ", "elif ", "for ", "async for ", "while ", "except"),
}
"""How the block before such a line begins."""

_JOINING = (".", ",", "(", ")", "]", "}", "+", "*", "/", "%", "==", "!=", "<", ">", "&", "|", "=")
"""How a line begins that goes on with the line before it."""

_FUNCTION = re.compile(r"\s*(?:async\s+)?def\s+\w+")
_C_FUNCTION = re.compile(r"[A-Za-z_][\w\s*]*\b\w+\s*\([^;]*$")


def program_of(prompt: str, answer: str, language: Language) -> tuple[str, str]:
    """The parts of the program that an answer makes.

    Args:
        prompt: The code that the model was asked to complete.
        answer: What it answered.
        language: Of both.

    Returns:
        The given code and the model's own, as `extract` takes a prompt and its completion.
    """
    block = code_block(answer, language)
    code = answer if block is None else block.code
    given, written = prompt.split("\n"), code.rstrip().split("\n")
    while written and not written[0].strip():
        del written[0]
    repeated = _after_repeated(prompt, given, written)
    if repeated is not None:
        return repeated
    parts = _with_function(given, written, language) or _after_last_line(prompt, given, written, language)
    if parts is None:
        parts = prompt, _continued(given, written, language)
        if language == "py" and parse("".join(parts)) is None:
            after = _after_last_line(prompt, given, written, language, strict=False)
            parts = after if after is not None and parse("".join(after)) is not None else parts
    return _with_imports(parts, given, written, language)


def judged_parts(prompt: str, text: str, language: Language, *, chat: bool) -> tuple[str, str]:
    """The given code and the model's own, which `extract` joins to the program that is judged.

    Args:
        prompt: The code that the model was asked to complete.
        text: What it wrote.
        language: Of both.
        chat: Whether the text is an answer of a chat, which holds the program in a code block.
    """
    return program_of(prompt, text, language) if chat else (prompt, text)


def _after_repeated(prompt: str, given: Sequence[str], written: Sequence[str]) -> tuple[str, str] | None:
    """The prompt and what follows it in a block that starts with it; blank lines and the ends of lines may differ."""
    place = 0
    for line in given[:-1]:
        if not line.strip():
            continue
        while place < len(written) and not written[place].strip():
            place += 1
        if place >= len(written) or written[place].rstrip() != line.rstrip():
            return None
        place += 1
    while place < len(written) and not written[place].strip():
        place += 1
    if place >= len(written) or not written[place].startswith(given[-1].rstrip()):
        return None
    rest = [written[place][len(given[-1].rstrip()) :], *written[place + 1 :]]
    return prompt, "\n".join(rest) + "\n"


def _with_function(given: Sequence[str], written: Sequence[str], language: Language) -> tuple[str, str] | None:
    """The prompt up to the function that it left open, with the block's definition of that function."""
    header = _open_function(given, language)
    if header is None:
        return None
    name = _name(given[header])
    found = next(
        (row for row, line in enumerate(written) if _is_function(line, language) and _name(line) == name), None
    )
    if found is None:
        return None
    lines = _moved(written[found:], indentation(given[header]) - indentation(written[found]))
    return "\n".join([*given[:header], lines[0]]), "\n" + "\n".join(lines[1:]) + "\n"


def _after_last_line(
    prompt: str, given: Sequence[str], written: Sequence[str], language: Language, *, strict: bool = True
) -> tuple[str, str] | None:
    """The prompt and what follows its last line in the block; ``strict`` looks at the lines before that, too."""
    last, known = given[-1].strip(), {line.strip() for line in given}
    found = next((row for row, line in enumerate(written) if len(last) > 3 and line.strip().startswith(last)), None)
    if found is None:
        return None
    before = (line.strip() for line in written[:found])
    if strict and not all(
        line in known or _IMPORTS[language].match(line) or not line or line.startswith(_COMMENTS[language])
        for line in before
    ):
        return None
    lines = _moved(written[found:], indentation(given[-1]) - indentation(written[found]))
    return prompt, "\n".join([lines[0].strip()[len(last) :], *lines[1:]]) + "\n"


def _continued(given: Sequence[str], written: Sequence[str], language: Language) -> str:
    """The block as a continuation: of an unfinished line, or as new lines with the indentation that must follow."""
    last = given[-1]
    if not written:
        return ""
    first = written[0].lstrip()
    if _is_unfinished(given, language) or (
        last.strip() and first.startswith(_JOINING) and not last.strip().startswith("#")
    ):
        words = last[-1:].isalnum() and (first[:1].isalnum() or first[:1] in "\"'_")
        return "\n".join([" " * words + first, *written[1:]]) + "\n"
    above = next((line for line in reversed(given) if line.strip()), "")
    wanted = indentation(above) + (4 if above.rstrip().endswith((":", "{")) else 0)
    own = indentation(written[0])
    columns = _clause_column(given, written[0]) - own if _CLAUSE.match(written[0]) else max(0, wanted - own)
    lines = _moved(written, columns)
    if not last.strip():  # its blanks come before the first line
        lines[0] = lines[0][min(len(last), indentation(lines[0])) :]
    return ("\n" if last.strip() else "") + "\n".join(lines) + "\n"


def _clause_column(given: Sequence[str], line: str) -> int:
    """Column of the open block that a line such as ``except OSError:`` goes on; its own if that fits, or none does."""
    openers = _BEFORE[line.split()[0].rstrip(":")]
    found = [column for row, column in enclosing(given) if given[row].lstrip().startswith(openers)]
    own = indentation(line)
    return own if own in found or not found else found[0]


def _is_unfinished(given: Sequence[str], language: Language) -> bool:
    """Whether the prompt's last line goes on: it is no comment, and no statement ends with it."""
    last = given[-1].strip()
    if language == "c":
        last = last.partition("//")[0].rstrip()
        return bool(last) and not last.endswith((":", ";", "{", "}", "*/"))
    if not last or last.startswith(("#", "@")):
        return False
    if _OPENING.search(last):
        return True
    text, inner = "\n".join(given), " " * (indentation(given[-1]) + 4) + "pass"
    return all(parse(with_tries_closed(one)) is None for one in (text, f"{text}\n{inner}"))


def _with_imports(
    parts: tuple[str, str], given: Sequence[str], written: Sequence[str], language: Language
) -> tuple[str, str]:
    """The parts, with imports at the top that only the block has."""
    known = {text for _, text in _imports(given, language)} | {line.strip() for line in given}
    body = set(parts[1].split("\n"))
    missing = [text for first, text in _imports(written, language) if text not in known and first not in body]
    head = [line for line in given if line.startswith("from __future__")]
    if not missing:
        return parts
    if head:
        first, _, rest = parts[0].partition(head[-1] + "\n")
        return first + "\n".join([head[-1], *missing]) + "\n" + rest, parts[1]
    return "\n".join([*missing, parts[0]]), parts[1]


def _imports(written: Sequence[str], language: Language) -> Iterator[tuple[str, str]]:
    """The first line and the text of each import at the top level; one of several lines becomes one line."""
    for row, line in enumerate(written):
        if not _IMPORTS[language].match(line):
            continue
        text = line
        if language == "py" and "(" in line:
            end = next((last for last in range(row, len(written)) if ")" in written[last].partition("#")[0]), row)
            names = " ".join(part.partition("#")[0].strip() for part in written[row : end + 1])
            text = names.replace("( ", "(").replace(", )", ")").replace(",)", ")")
        yield line, text


def _open_function(given: Sequence[str], language: Language) -> int | None:
    """Row of the definition of the outermost function that is open at the end of the prompt."""
    if language == "py":
        # A signature of several lines ends with a parenthesis at the column of its definition.
        rows = [row for row, _ in enclosing(given, (")",)) if _is_function(given[row], language)]
        return rows[-1] if rows else None
    for row in range(len(given) - 1, -1, -1):
        if given[row].startswith("}"):
            return None
        if given[row].strip() and _is_function(given[row], language):
            return row
    return None


def _is_function(line: str, language: Language) -> bool:
    return bool((_FUNCTION if language == "py" else _C_FUNCTION).match(line))


def _name(line: str) -> str:
    """Name of the function whose definition a line begins."""
    return line.partition("(")[0].split()[-1].lstrip("*")


def _moved(lines: Sequence[str], columns: int) -> list[str]:
    """The lines, indented by more columns, or by fewer."""
    if columns >= 0:
        return [" " * columns + line if line.strip() else line for line in lines]
    return [line[min(-columns, indentation(line)) :] for line in lines]

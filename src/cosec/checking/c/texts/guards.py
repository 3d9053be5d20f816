"""Which texts a C function looks at before it uses them, and what such a look refuses.

A look is a function that is called in a condition. Comparing a text with allowed words, or its letters with allowed
ones, is trusted. Looks that are known to be incomplete are not: a prefix without a separator after it, a refused
leading ``../``, a single refused letter in a shell command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosec.checking.c.reading.syntax import Unit, arguments, bare, called, literal, text, walk, words
from cosec.checking.c.reading.trees import COMPARISONS, loops_around

if TYPE_CHECKING:
    from tree_sitter import Node

DANGERS = ("command", "path", "sql")
"""Kinds of harm that a text can do."""

_NEUTRAL = words(
    "strlen strnlen access stat lstat fstat fopen printf fprintf snprintf sprintf asprintf vsnprintf fgets gets scanf"
    " sscanf fscanf read recv recvfrom fread malloc calloc realloc feof ferror getenv secure_getenv system popen open"
    " openat unlink remove opendir sqlite3_exec mysql_query PQexec strdup strndup strtok strtok_r mkdir rmdir rename"
    " realpath getline getdelim memcpy memmove strcpy strncpy strcat strncat close fclose pclose write send fwrite"
    " fputs puts isatty atoi atol strtol strtoul sizeof execl execlp execv execvp execve execle fork waitpid chdir"
    " canonicalize_file_name free perror sqlite3_prepare_v2 sqlite3_prepare mysql_real_query memset exit getopt"
    " getopt_long strerror time pipe dup2 symlink _exit abort WEXITSTATUS WIFEXITED WIFSIGNALED WTERMSIG fflush fdopen"
    " fileno signal sigaction kill setsid getpid errno syslog vfprintf"
)
"""Functions of the library that test nothing of a text."""

_EQUAL = frozenset({"strcmp", "strcasecmp", "wcscmp", "g_strcmp0", "memcmp"})
_PREFIX = frozenset({"strncmp", "strncasecmp"})
_SHELL_LETTERS = frozenset(";|&$`")
_ENDS_OF_TEXT = frozenset({"'\\0'", "'\\n'", "'\\r'"})
_OPTION = re.compile(r"-{1,2}\w|-$|$")


class Guards:
    """The texts that each function of a file looks at."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._clean: dict[tuple[int, str], frozenset[str]] = {}
        self._weak = {name: _tests_weakly(function, unit) for name, function in unit.functions.items()}

    def clean(self, function: Node, name: str, danger: str) -> bool:
        """Tell whether a function refuses a text that could do a kind of harm."""
        key = function.id, danger
        if key not in self._clean:
            self._clean[key] = frozenset(self._looked_at(function, danger))
        return name in self._clean[key]

    def _looked_at(self, function: Node, danger: str) -> set[str]:
        found: set[str] = set()
        for node in walk(function):
            condition = node.child_by_field_name("condition")
            if condition is None or node.type == "conditional_expression":
                continue
            for call in (one for one in walk(condition) if one.type == "call_expression"):
                name = called(call)
                if name in _NEUTRAL or (name in self._unit.functions and danger in self._weak[name]):
                    continue
                if refuses(call, danger, function):
                    found |= {text(one) for argument in arguments(call) for one in walk(argument)}
        found |= _refused_letters(function, danger)
        aliases = [
            (text(node.child_by_field_name("declarator")).lstrip("* "), text(node.child_by_field_name("value")))
            for node in walk(function)
            if node.type == "init_declarator"
        ]
        found |= {value for name, value in aliases if name in found}
        if danger == "path":
            calls = [(called(one), arguments(one)) for one in walk(function) if one.type == "call_expression"]
            resolved = [
                [text(bare(one)) for one in given] for name, given in calls if name == "realpath" and len(given) == 2
            ]
            found |= {path for path, result in resolved if result in found}
            found |= _last_parts(function)
        return {one for one in found if re.fullmatch(r"[A-Za-z_]\w*(\[\d+\]|->\w+|\.\w+)*", one) and one != "argv"}


def refuses(call: Node, danger: str, function: Node) -> bool:
    """Tell whether a call in a condition can refuse every text that does a kind of harm; trusts unknown functions."""
    name, given = called(call), arguments(call)
    words = [one for one in map(literal_of, given) if one is not None]
    if name in _EQUAL:
        return not words or not (_OPTION.match(words[0]) or words[0] in (".", ".."))
    if name in _PREFIX:
        return danger == "path" and _keeps_inside(given, function)
    if name in ("strstr", "strcasestr"):
        return danger == "sql" or (danger == "path" and (not words or words[-1] in ("..", "../", "/", "/..")))
    if name in ("strchr", "strrchr", "memchr"):
        if len(given) > 1 and bare(given[1]).type not in ("char_literal", "number_literal"):
            # A letter of the text is looked for, among allowed ones or refused ones.
            content = words[0] if words else "a"
            return danger != "command" or bool(re.search(r"\w", content)) or set(content) >= _SHELL_LETTERS
        letter = text(bare(given[1])) if len(given) > 1 else ""
        return danger == "sql" or (danger == "path" and letter in ("'/'", "'.'"))
    if name in ("strpbrk", "strcspn"):
        letters = set(words[-1]) if words else None
        if letters is None:
            return True
        return danger == "sql" or (bool({"/", "."} & letters) if danger == "path" else letters >= _SHELL_LETTERS)
    return True


def literal_of(node: Node) -> str | None:
    """Return a string literal as it is written."""
    node = bare(node)
    if node.type == "concatenated_string":
        parts = [literal_of(one) for one in node.named_children]
        return None if None in parts else "".join(part or "" for part in parts)
    return text(node)[1:-1] if node.type == "string_literal" else None


def _keeps_inside(given: list[Node], function: Node) -> bool:
    """Tell whether a comparison of a resolved path with a folder ends at a separator."""
    if len(given) < 2:
        return False
    path, base = (given[1], given[0]) if literal(given[0]) is not None else (given[0], given[1])
    name, body = re.escape(text(bare(path))), text(function)
    if not re.search(rf"\brealpath\s*\([^;]*\b{name}\b|\b{name}\s*=\s*(\([^)]*\)\s*)?(realpath|canonic)", body):
        return False
    if re.search(rf"\b{name}\s*\[[^;=]*\]\s*[!=]=\s*('/'|'\\0'|0)|\*\s*\(\s*{name}\s*\+", body):
        return True
    content = literal_of(base)
    if content is None:
        content = _initial(function.parent or function, text(bare(base)))
    if content is None or not content.endswith("/"):
        return False
    count = text(bare(given[2])) if len(given) > 2 else ""
    return not count.isdigit() or int(count) >= len(content)


def _last_parts(function: Node) -> set[str]:
    """Return the variables that are set to what stands behind the last ``'/'`` of a path."""
    settings = [
        (text(node.child_by_field_name("declarator") or node.child_by_field_name("left")).lstrip("* "), bare(value))
        for node in walk(function)
        if node.type in ("init_declarator", "assignment_expression")
        and (value := node.child_by_field_name("value") or node.child_by_field_name("right")) is not None
    ]
    slashes = {
        name
        for name, value in settings
        if called(value) == "strrchr" and [text(one) for one in arguments(value)[1:]] == ["'/'"]
    }
    behind = {f"{name} + 1" for name in slashes}
    return {name for name, value in settings if text(bare(value.child_by_field_name("consequence") or value)) in behind}


def _initial(scope: Node, name: str) -> str | None:
    """Return the text that a variable is declared with."""
    for node in walk(scope):
        if node.type != "init_declarator":
            continue
        declared = text(node.child_by_field_name("declarator")).strip("*[] ").split("[")[0]
        value = node.child_by_field_name("value")
        if declared == name and value is not None and (content := literal_of(value)) is not None:
            return content
    return None


def _tests_weakly(function: Node, unit: Unit) -> frozenset[str]:
    """Return the harm that a local function lets pass although it looks at texts."""
    compared = _compared_letters(function)
    if re.search(r"\bis(alnum|alpha|digit|xdigit)\b", text(function)):
        return frozenset()
    calls = [one for one in walk(function) if one.type == "call_expression" and called(one) not in _NEUTRAL]
    return frozenset(
        danger
        for danger in DANGERS
        if not _are_enough(compared, danger) and not any(refuses(one, danger, function) for one in calls)
    )


def _compared_letters(function: Node) -> set[str]:
    """Return the letters that a function compares something with; the ends of texts and lines are left out."""
    found = set()
    for node in walk(function):
        if node.type != "char_literal" or text(node) in _ENDS_OF_TEXT or node.parent is None:
            continue
        compares = text(node.parent.child_by_field_name("operator")) in COMPARISONS
        if compares or node.parent.type == "case_statement":
            found.add(text(node)[1:-1])
    return found


def _refused_letters(function: Node, danger: str) -> set[str]:
    """Return the texts that a function walks through, and leaves at a letter that could do a kind of harm."""
    letters: dict[str, set[str]] = {}
    for node in walk(function):
        branch = node.child_by_field_name("consequence") if node.type == "if_statement" else None
        if branch is None or not any(one.type in ("return_statement", "goto_statement") for one in walk(branch)):
            continue
        for one in walk(node.child_by_field_name("condition") or node):
            left, right = one.child_by_field_name("left"), one.child_by_field_name("right")
            place = left.child_by_field_name("argument") if left is not None else None
            if place is None or right is None or right.type != "char_literal" or not any(loops_around(node)):
                continue
            if text(one.child_by_field_name("operator")) == "==":
                letters.setdefault(text(place), set()).add(text(right)[1:-1])
    needed = {"/"} if danger == "path" else _SHELL_LETTERS
    return {name for name, refused in letters.items() if danger != "sql" and refused >= needed}


def _are_enough(letters: set[str], danger: str) -> bool:
    """Tell whether comparisons with letters can refuse every text that does a kind of harm; trusts allowed letters."""
    if danger == "sql" or any(re.match(r"\w", letter) for letter in letters):
        return bool(letters)
    return letters >= _SHELL_LETTERS if danger == "command" else bool(letters & {"/", "."})


def key_of(node: Node) -> str:
    """Return the name under which a text is known: ``buffer`` for ``&buffer[2]`` and ``buffer + n``."""
    node = bare(node)
    while True:
        inner: Node | None = None
        if node.type == "pointer_expression" and text(node).startswith("&"):
            inner = node.child_by_field_name("argument")
        elif node.type == "binary_expression":
            inner = node.child_by_field_name("left")
        elif node.type == "subscript_expression" and node.parent is not None and text(node.parent).startswith("&"):
            inner = node.child_by_field_name("argument")
        if inner is None:
            return text(node)
        node = bare(inner)

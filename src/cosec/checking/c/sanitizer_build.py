"""Build a C program with AddressSanitizer and UndefinedBehaviorSanitizer, with a ``main`` of ours.

The program's ``main`` is renamed; ``sanitizer_driver.c``, compiled once, calls it. Allocation and random numbers of
the program go through the driver (``--wrap``). UndefinedBehaviorSanitizer reports and goes on, so that an overflow that
leads to a write out of bounds shows both; AddressSanitizer stops at its first report. gcc knows no check of unsigned
arithmetic, and most of it is meant to wrap; `wrapping.py` adds one where it is not. Programs are untrusted: the
compiler, too, runs in the sandbox.

With ``-fno-builtin``, which the sanitizers need, a function of the library without a declaration returns ``int``, and
its pointers lose half their bits. A program that forgets a header is therefore built with that header.
"""

from __future__ import annotations

import re
import shutil
import threading
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePath
from tempfile import mkdtemp
from weakref import finalize

from cosec.checking.c.compiler import require_started
from cosec.checking.c.wrapping import CHECKS, with_checked_sizes
from cosec.errors import CheckerError
from cosec.sandbox import Limits, run_sandboxed

PROGRAM = "program.c"
"""The program's name in the compiler's and the sanitizers' messages; its lines are the caller's."""

HARNESS = "harness.c"
"""The name there of source that a scenario adds."""

_SANITIZE = ("-fsanitize=address,undefined", "-fsanitize=bounds-strict,float-cast-overflow", "-fno-sanitize=alignment")
_COMPILE = ("-std=gnu11", "-g", "-O0", "-fno-builtin", "-fmax-errors=1", "-Dmain=user_main")
_WRAPPED = (
    *("malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "strdup", "strndup"),
    *("rand", "rand_r", "random"),
)
_LINK = (*(f"-Wl,--wrap={name}" for name in _WRAPPED), "-lm", "-lpthread")
_LIMITS = Limits(cpu_seconds=20, wall_seconds=30.0, limit_address_space=False, file_bytes=32 << 20)
_OWN_ALLOCATION = "".join(
    f"#undef {name}\n#define {name} __real_{name}\n" for name in ("malloc", "calloc", "realloc", "strdup")
)
_DECLARED = """\
#include <stddef.h>
void *__real_malloc(size_t); void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t); char *__real_strdup(const char *);
"""
_UNDECLARED = re.compile(r"implicit declaration of function '(\w+)'")
_HEADERS = {
    "stdlib.h": "malloc calloc realloc free atoi atol atof strtol strtoul strtod exit abort abs rand srand getenv"
    " system qsort bsearch",
    "string.h": "strlen strcpy strncpy strcat strncat strcmp strncmp strchr strrchr strstr strdup strndup memcpy"
    " memmove memset memcmp strtok strerror strspn strcspn strpbrk",
    "stdio.h": "printf fprintf sprintf snprintf puts putchar getchar fopen fclose fgets fputs fread fwrite scanf sscanf"
    " fscanf perror fgetc fputc getline popen pclose",
    "ctype.h": "isalpha isdigit isalnum isspace isupper islower isxdigit isprint ispunct toupper tolower",
    "unistd.h": "read write close unlink sleep getpid access getopt",
    "math.h": "sqrt pow fabs floor ceil",
}
_HEADER_OF = {name: header for header, names in _HEADERS.items() for name in names.split()}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Result of compiling."""

    executable: Path | None
    """None if it does not compile or link."""

    problem: str = ""
    """The first error."""

    forgotten: tuple[str, ...] = ()
    """Headers of the library whose functions it calls without including them."""


def build_program(program: str, extra_source: str, folder: Path) -> Build:
    """Compile and link ``program``, with ``extra_source`` after it, into ``folder``.

    Allocations of the extra source never fail on purpose.

    Raises:
        CheckerError: If there is no gcc, or its sanitizers are missing.
    """
    with _lock:
        driver = _driver_object()
    built = Build(executable=None)
    for text in dict.fromkeys((with_checked_sizes(program), program)):
        built = _compile(text, extra_source, folder, driver)
        if built.forgotten:
            complete = _compile(text, extra_source, folder, driver, headers=built.forgotten)
            built = complete if complete.executable is not None else built
        if built.executable is not None:
            return built
    return built


def _compile(program: str, extra_source: str, folder: Path, driver: Path, *, headers: tuple[str, ...] = ()) -> Build:
    included = "".join(f"#include <{name}>\n" for name in headers)
    unit = f'{included}{CHECKS}#include "{PROGRAM}"\n'
    if extra_source.strip():
        unit += f'{_DECLARED}{_OWN_ALLOCATION}#line 1 "{HARNESS}"\n{extra_source}\n'
    outcome = run_sandboxed(
        ["gcc", *_COMPILE, *_SANITIZE, "unit.c", str(driver), "-o", "program", *_LINK],
        files={PROGRAM: program, "unit.c": unit},
        env={"LC_ALL": "C"},
        limits=_LIMITS,
        read_only=[driver],
        work_folder=folder,
    )
    messages = outcome.stderr.decode(errors="replace")
    if outcome.returncode != 0 and not outcome.timed_out:
        require_started(messages)
    names = dict.fromkeys(_UNDECLARED.findall(messages))
    forgotten = tuple(dict.fromkeys(_HEADER_OF[name] for name in names if name in _HEADER_OF))
    executable = folder / "program"
    if outcome.returncode == 0 and executable.is_file():
        return Build(executable=executable, forgotten=forgotten)
    problem = "the compiler took too long" if outcome.timed_out else _first_error(messages)
    return Build(executable=None, problem=problem, forgotten=forgotten)


def _first_error(messages: str) -> str:
    if found := re.search(r"^(\S+?):(\d+)(?::\d+)?: (?:fatal )?error: (.*)", messages, re.MULTILINE):
        places = {PROGRAM: "", "unit.c": "", HARNESS: "the scenario's own source, "}
        place = places.get(found[1], f"{PurePath(found[1]).name}, ")
        return f"does not compile: {place}line {found[2]}: {found[3]}"
    if found := re.search(r"undefined reference to `(.*?)'|multiple definition of `(.*?)'", messages):
        name = (found[1] or found[2]).replace("user_main", "main")
        return f"does not link: {'no' if found[1] else 'two definitions of'} {name}"
    return "does not compile"


@cache
def _driver_object() -> Path:
    """Return the compiled driver, which is removed when Python exits."""
    if shutil.which("gcc") is None:
        raise CheckerError("gcc is not installed, and C programs cannot be run under the sanitizers without it.")
    folder = Path(mkdtemp(prefix="cosec-driver-"))
    finalize(_lock_owner, shutil.rmtree, folder, True)
    source = (files("cosec.checking.c") / "sanitizer_driver.c").read_text(encoding="utf-8")
    check = "int user_main(int c, char **v, char **e) { return 0; }"
    for command in (
        ["gcc", "-g", "-O1", "-w", "-c", "driver.c", "-o", "driver.o"],
        ["gcc", *_SANITIZE, "check.c", "driver.o", "-o", "check", *_LINK],
    ):
        outcome = run_sandboxed(
            command, files={"driver.c": source, "check.c": check}, limits=_LIMITS, work_folder=folder
        )
        if outcome.returncode != 0:
            last = outcome.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise CheckerError(
                f"gcc cannot build with sanitizers here ({'; '.join(last)}); install gcc with libasan and libubsan."
            )
    (folder / "check").unlink()
    return folder / "driver.o"


class _LockOwner:
    """Kept as long as the module."""


_lock_owner = _LockOwner()

"""py/command-injection: untrusted text that a shell reads, or that names the program to run."""

import re

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import LEADING, WHOLE, Value, join_all
from cosec.checking.python.knowledge.sinks import SHELL
from cosec.checking.python.sinks.rows import arguments, matching

_PATTERN = "py/command-injection"
_RUNNERS = frozenset({"run", "call", "check_call", "check_output", "Popen"})
_EXEC = re.compile(r"^os\.(exec\w+|spawn\w+|posix_spawn\w*|startfile)$")
_SHELLS = re.compile(
    r"(^|/)((ba|z|da|k|c|tc|a|fi)?sh|cmd(\.exe)?|powershell(\.exe)?|pwsh|busybox|su|ssh|eval|watch)$", re.IGNORECASE
)
_SHELL_OPTIONS = re.compile(r"^(-\w*c|/c|/k|--?command|-encodedcommand)$", re.IGNORECASE)
_RUN_A_WORD = (
    (re.compile(r"(^|/)(tmux|screen)$"), re.compile(r"[\w/]\s+\S*\0")),
    (re.compile(r"(^|/)[gmn]?awk$"), re.compile(r"\{.*\0|\0.*\{", re.DOTALL)),
)
"""Programs that run one of their words, by its known letters: a command with an argument, a program of awk."""
_KINDS = frozenset({"remote", "argv", "input", "parameter", "download", "environment"})


def check(site: CallSite) -> None:
    """Look at one call."""
    row = matching(site, SHELL)
    if row is not None:
        for command in arguments(site, row):
            _report(site, command)
        return
    if (
        site.is_method
        and site.method in {"run", "sudo", "local"}
        and any(re.search(r"Connection\(\)|Context\(\)|Group\(\)|<c>|<ctx>|<context>", name) for name in site.names)
    ):
        _report(site, site.argument(0, "command"))
        return
    if any(_EXEC.match(name) for name in site.names):
        place = 1 if site.method.startswith("spawn") else 0
        _program(site, site.argument(place, "file", "path"))
        _arguments(site, [item for each in site.positional[place + 1 :] for item in _words(each) or [each]])
        return
    if site.called("asyncio.create_subprocess_exec", "asyncio.subprocess.create_subprocess_exec"):
        _program(site, site.argument(0, "program"))
        _arguments(site, site.positional)
        return
    if site.method in _RUNNERS and site.within(
        "subprocess.", "subprocess32.", "sp.", "gevent.subprocess.", *_RUNNERS, "anyio."
    ):
        _subprocess(site)


def _subprocess(site: CallSite) -> None:
    command = site.argument(0, "args", "command")
    if command is None:
        return
    if _may_use_shell(site):
        whole = [taint for taint in command.taints if taint.source.kind == "parameter" and WHOLE not in taint.neutral]
        shell = site.argument(8, "shell")
        if whole and shell is not None and shell.all_taints():
            return  # A wrapper whose caller chooses both.
        first = [held.fields.get((0,), held.element) for held in command.held("list", "tuple")]
        _report(site, join_all(each for each in first if each is not None) if first else command)
        return
    words = _words(command)
    if words:
        _script(site, words)
        _word_that_runs(site, words)
        _program(site, words[0])
        _arguments(site, words)
    else:
        # Without a shell the whole text, or the first of its words, names the program.
        _program(site, command)


def _script(site: CallSite, words: list[Value]) -> None:
    """Check the standard input of a shell that is given no command and no file: it is a script."""
    given = site.argument(None, "input")
    texts = [each.constant for each in words]
    if given is None or not all(isinstance(each, str) for each in texts):
        return
    program, *options = map(str, texts)
    if _SHELLS.search(program) and not any(_SHELL_OPTIONS.match(each) for each in options):
        reads = all(each.startswith("-") for each in options) or program.endswith("ssh")
        if reads:
            _report(site, given)


def _word_that_runs(site: CallSite, words: list[Value]) -> None:
    """Check the word that the program runs: the command in a window of a terminal, the program of awk."""
    for program, letters in _RUN_A_WORD:
        for each in words[1:] if program.search(str(words[0].constant)) else ():
            if letters.search(each.letters()):
                _report(site, each)


def _may_use_shell(site: CallSite) -> bool:
    shell = site.argument(8, "shell")
    if shell is None:
        return False
    return any(bool(each) for each in shell.constants) if shell.exact else True


def _words(command: Value) -> list[Value]:
    found: list[Value] = []
    for held in command.held("list", "tuple"):
        found += held.items()
    return found


def _program(site: CallSite, value: Value | None) -> None:
    """Check the program to run: harmful if an outsider chose its start."""
    if value is None:
        return
    for taint in site.analysis.harmful(value, "command", _KINDS - {"argv", "environment"}):
        if LEADING in taint.neutral or (taint.source.kind == "parameter" and "cmd" not in taint.source.text + "cmd"):
            continue
        if taint.source.kind == "parameter":
            continue  # A function that runs the program that it is told to.
        site.analysis.report(_PATTERN, site.node, "An outsider chooses the program to run", taint.source)
        return


def _arguments(site: CallSite, words: list[Value]) -> None:
    """Check arguments with a shell command among them: ``["sh", "-c", command]``."""
    for place, word in enumerate(words):
        program = word.constant
        if _runs_in_some_order(word):
            _report(site, word)
        if not isinstance(program, str) or not _SHELLS.search(program):
            continue
        rest = words[place + 1 :]
        if re.search(r"(^|/)ssh$", program):
            _remote(site, rest)
            return
        if re.search(r"(^|/)(busybox|watch)$", program):
            for each in rest:
                if any(WHOLE in taint.neutral for taint in each.all_taints()):
                    _report(site, each)
            return
        option = next(
            (
                n
                for n, each in enumerate(rest)
                if isinstance(each.constant, str) and _SHELL_OPTIONS.match(each.constant)
            ),
            None,
        )
        if option is not None:
            windows = program.lower().startswith(("cmd", "power", "pwsh"))
            for each in rest[option + 1 :] if windows else rest[option + 1 : option + 2]:
                _report(site, each)
        return


def _remote(site: CallSite, words: list[Value]) -> None:
    """Check the arguments of ssh: options, the host, and the command that a shell of the host reads."""
    place, ended = 0, False
    while not ended and place < len(words) and str(option := words[place].constant).startswith("-"):
        ended = option == "--"
        place += 2 if re.match(r"-[BbcDEeFIiJLlmOopQRSWw]$", str(option)) else 1
    if place >= len(words):
        return
    for taint in () if ended else site.analysis.harmful(words[place], "option", _KINDS):
        if LEADING not in taint.neutral:
            site.analysis.report(_PATTERN, site.node, "Untrusted text can be an option of ssh", taint.source)
            return
    for each in words[place + 1 :]:
        _report(site, each)


def _runs_in_some_order(word: Value) -> bool:
    """Tell whether a word of a list whose order is unknown may be a shell, and also its option."""
    texts = [each for each in word.constants if isinstance(each, str)]
    shells = [each for each in texts if _SHELLS.search(each) and not each.endswith("ssh")]
    return bool(shells) and any(_SHELL_OPTIONS.match(each) for each in texts)


def _report(site: CallSite, command: Value | None) -> None:
    for taint in site.analysis.harmful(command, "command", _KINDS) if command is not None else ():
        if taint.source.kind == "environment" and LEADING not in taint.neutral:
            continue  # A variable such as EDITOR names the command to run.
        site.analysis.report(_PATTERN, site.node, "Untrusted text becomes part of a shell command", taint.source)
        return

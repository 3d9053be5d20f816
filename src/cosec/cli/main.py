"""The command ``cosec``: finds the verb, imports only what it needs, and reports failures in one line."""

from __future__ import annotations

import difflib
import errno
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from cyclopts import App, Group, Parameter
from cyclopts.exceptions import CoercionError, CycloptsError

from cosec.cli.threads import limit_spinning
from cosec.cli.views.help_panel import whole_flags
from cosec.errors import CosecError, CosecWarning, SettingsError
from cosec.version import __version__

EXIT_USAGE = 2
"""Exit status of a wrong command line, and of any error that the user can act on."""

EXIT_INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT."""

EXIT_BROKEN_PIPE = 141
"""Exit status when the reader of the output has gone: 128 + SIGPIPE."""

DISK_FULL_REMEDY = "free some space and run again; what was finished is intact"
"""What to do about a full disk."""

app = App(
    name="cosec",
    help="Make a code model write safer code by co-decoding it with a small security model.",
    version=__version__,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative_iterable=()),
    group_parameters=Group("Parameters", help_formatter=whole_flags),
)
"""The command ``cosec``."""

# Verbs are named, not imported: `cosec --help` must not wait for torch.
app.command("cosec.cli.generate:generate", name="generate", help="Complete prompts, hardened or not.")
app.command("cosec.cli.demo:demo", name="demo", help="Show demo prompts completed with and without hardening.")
app.command("cosec.cli.align:align", name="align", help="Align a small model with a larger one of its family.")
app.command("cosec.cli.tune:tune", name="tune", help="Train a security model on vulnerability fixes.")
app.command("cosec.cli.pipeline:pipeline", name="pipeline", help="Align, tune and evaluate from one recipe.")
app.command("cosec.cli.data:data_app", name="data", help="Look at training data.")
app.command("cosec.cli.models:models_app", name="models", help="Fetch, list and describe models.")
app.command("cosec.cli.doctor:doctor", name="doctor", help="Check that a target and a security model fit together.")
app.command("cosec.cli.evaluate:evaluate_app", name="evaluate", help="Measure security, function, or both.")
app.command("cosec.cli.study:study", name="study", help="Run a whole comparison from a recipe.")
app.command("cosec.cli.frontier:frontier", name="frontier", help="Draw what each rule gains and costs.")
app.command("cosec.cli.calibrate:calibrate", name="calibrate", help="Choose a rule's strength within a budget.")
app.command("cosec.cli.report:report", name="report", help="Write the report of a study.")
app.command("cosec.cli.serve:serve", name="serve", help="Serve a hardened model behind the OpenAI API.")
app.command("cosec.cli.serve_key:serve_key", name="serve-key", help="Make an API key for `cosec serve`.")
app.command("cosec.cli.check:check", name="check", help="Look for weaknesses in Python and C files.")
app.command("cosec.cli.bench:bench_app", name="bench", help="Measure speed.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments after ``cosec``; None for those of the process.

    Returns:
        The exit code: 0, 2 for bad usage or input, 130 after Ctrl-C, 141 when the reader of the output went away.
    """
    _keep_quiet()
    limit_spinning()
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        app(
            given,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        # A closed pipe must fail here, where it is expected, and not when the interpreter shuts down.
        sys.stdout.flush()
    except CycloptsError as error:
        return _complain(usage_message(error))
    except SettingsError as error:
        return _complain(_as_flags(error, given))
    except CosecError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        print("\ncosec: stopped", file=sys.stderr)  # noqa: T201 - a message
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more when it exits; discard that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except Exception as error:
        message = system_message(error)
        if message is None:
            raise
        return _complain(message)
    return 0


def usage_message(error: CycloptsError) -> str:
    """Describe a usage error in one line, with the suggestion that cyclopts found."""
    error.verbose = False
    verb = " ".join(["cosec", *(error.command_chain or ())])
    return f"{_misplaced_option(error) or _refused_value(error) or str(error)} Try: {verb} --help"


def _refused_value(error: CycloptsError) -> str | None:
    """Describe a value that a settings object refused; None for other errors."""
    pydantic = sys.modules.get("pydantic")  # not imported: `cosec check` works without it
    cause = error.__cause__ or error.__context__
    if pydantic is None or not isinstance(cause, pydantic.ValidationError):
        return None
    problems = cause.errors()
    field = next((part for part in problems[0]["loc"] if isinstance(part, str)), "")
    told = [problem for problem in problems if problem["loc"] == () or field in problem["loc"]]
    messages = ", or: ".join(problem["msg"].removeprefix("Value error, ").rstrip(".") for problem in told)
    if not field:  # a rule about several fields
        return f"{messages}."
    return f"--{field.replace('_', '-')}: {messages} (got {problems[0]['input']!r})."


def _misplaced_option(error: CycloptsError) -> str | None:
    """Describe an unknown option that a verb with a ``-`` argument mistook for it; None for other errors."""
    if not isinstance(error, CoercionError) or error.token is None or error.app is None:
        return None
    written = error.token.value
    if error.token.keyword is not None or not written.startswith("-"):
        return None
    known = [name for argument in error.app.assemble_argument_collection() for name in argument.names]
    near = difflib.get_close_matches(written, [name for name in known if name.startswith("--")], n=1)
    return f"Unknown option: {written}." + (f" Did you mean {near[0]}?" if near else "")


def _as_flags(error: SettingsError, arguments: Sequence[str]) -> str:
    """The message, with settings as flags if one of them was given as a flag: others come from files or arms."""
    flags = {name: f"--{name.replace('_', '-')}" for name in error.settings}
    if not any(argument.partition("=")[0] in flags.values() for argument in arguments):
        return str(error)
    return re.sub(r"\w+", lambda word: flags.get(word[0], word[0]), str(error))


def system_message(error: Exception) -> str | None:
    """Describe a failure of the machine (full disk, missing permission) in one line; None for a possible bug."""
    # safetensors reports a full disk in an exception of its own.
    if type(error).__name__ == "SafetensorError" and f"os error {errno.ENOSPC}" in str(error):
        return f"The disk is full: {DISK_FULL_REMEDY}."
    if not isinstance(error, OSError) or error.errno is None:
        return None
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"The disk is full{where}: {DISK_FULL_REMEDY}."
    return f"{error.strerror or error}{where}."


def _complain(message: str) -> int:
    print(f"cosec: error: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201 - a message
    return EXIT_USAGE


def _keep_quiet() -> None:
    """Silence messages and telemetry of libraries; variables that the user has set are kept."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", CosecWarning)
        warnings.showwarning = _show_warning


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning without the place in the code that ``warnings`` names."""
    print(f"cosec: warning: {message}", file=sys.stderr)  # noqa: T201 - a message

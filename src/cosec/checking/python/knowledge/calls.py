"""Functions that end the program or the request."""

NEVER_RETURN = frozenset({"abort", "flask.abort", "sys.exit", "os._exit", "exit", "quit", "os.abort", "bottle.abort"})
"""Functions that do not return."""

CALLS_ARGUMENT = frozenset(
    {"run", "submit", "to_thread", "run_in_executor", "Thread", "run_sync", "apply_async", "gather"}
)
"""Functions outside the file that call a function given to them with their other arguments."""

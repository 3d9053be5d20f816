"""Functions that end the program or the request."""

from cosec.checking.python.knowledge.words import words

NEVER_RETURN = frozenset({"abort", "flask.abort", "sys.exit", "os._exit", "exit", "quit", "os.abort", "bottle.abort"})
"""Functions that do not return."""

CALLS_ARGUMENT = frozenset(
    {"run", "submit", "to_thread", "run_in_executor", "Thread", "run_sync", "apply_async", "gather"}
)
"""Functions outside the file that call a function given to them with their other arguments."""

MESSAGE_MODULES = (
    "gradio.",
    "pika.",
    "aio_pika.",
    "google.cloud.pubsub",
    "redis.",
    "nats.",
    "paho.",
    "azure.",
    "stomp.",
    "websockets.",
    "xmlrpc.server.",
)
"""Starts of the names of functions that take a function of the file, and call it with messages or inputs of others."""

QUOTED_IN_ERRORS = words(
    "int float complex strptime fromisoformat ip_address ip_network IPv4Address IPv6Address import_module ZoneInfo"
    " index open stat listdir scandir remove unlink rename mkdir rmdir read_text read_bytes"
)
"""Functions whose exception quotes their argument: ``invalid literal for int() with base 10: '…'``."""

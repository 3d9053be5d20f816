"""Logs: methods and names of loggers, and parameters with text of outsiders."""

import re

LOG_METHODS = frozenset(
    {"debug", "info", "warning", "warn", "error", "critical", "exception", "log", "fatal", "msg", "trace"}
)
"""Methods that write a line to a log."""

LOGGERS = (
    "logging.",
    "getLogger()",
    ".logger",
    "logger.",
    "log.",
    "<log",
    "structlog",
    "loguru",
    "LOG.",
    "LOGGER.",
    "_log",
)
"""Parts of dotted names that identify a logger."""

OUTSIDERS = re.compile(
    r"'\w*(user|input|agent|query|email|comment|payload|header|login|search|request|client|remote|message|msg|event|subject|"
    r"body|review|feedback|referer|referrer|ip|name|title|term|action|term|text|data)'",
    re.IGNORECASE,
)
"""Parameters whose name says that an outsider wrote the text."""

"""py/log-injection: untrusted text in a log with its line breaks."""

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain import texts
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import Held, Value, holding
from cosec.checking.python.knowledge.logs import LOG_METHODS, LOGGERS, OUTSIDERS
from cosec.checking.python.knowledge.sources import LOCAL

_PATTERN = "py/log-injection"
_KINDS = frozenset({"remote", "input", "parameter", "download"})


def check(site: CallSite) -> None:
    """Look at one call."""
    if site.method in LOG_METHODS and _is_logger(site):
        place = 1 if site.method == "log" else 0
        _report(site, _shown(_line(site, place)))
    elif site.called("syslog.syslog"):
        _report(site, _shown(site.positional[-1] if site.positional else None))
    elif site.is_method and site.method in {"write", "writelines"} and "log file" in site.receiver.flags:
        _report(site, site.argument(0, "s"))
    elif site.called("print") and "log file" in site.named.get("file", Value()).flags:
        for value in site.positional:
            _report(site, _shown(value))


def _shown(value: Value | None) -> Value | None:
    """Return a value as a log shows it; the line breaks of bytes and containers are escaped there."""
    return value if value is None else texts.converted(value, "", "")


def _is_logger(site: CallSite) -> bool:
    if site.called(*(f"{name}.{site.method}" for name in ("logging", "logger", "log", "LOG", "app.logger"))):
        return True
    return any(part in name for name in site.names for part in LOGGERS) and not site.within("math.", "numpy.", "np.")


def _line(site: CallSite, place: int) -> Value | None:
    """Return the line that is written: the message with its arguments filled in."""
    message = site.argument(place, "msg", "message")
    if message is None:
        return None
    operands = site.positional[place + 1 :]
    if not operands:
        return message
    first = operands[0]
    operand = first if len(operands) == 1 and first.held("dict") else _tuple(operands)
    filled = texts.percent_format(message, operand)
    if filled is None:
        return Value(taints=message.all_taints() | Value(holds=operand.holds).all_taints())
    return filled


def _tuple(values: list[Value]) -> Value:
    return holding(Held("tuple", {(place,): value for place, value in enumerate(values)}))


def _report(site: CallSite, text: Value | None) -> None:
    if text is None:
        return
    # In a whole program, the servers that it asks are its own choice.
    kinds = _KINDS - {"download"} if site.analysis.entry_points == "declared" else _KINDS
    for taint in site.analysis.harmful(text, "log", kinds):
        if taint.source.kind == "parameter" and not OUTSIDERS.search(taint.source.text):
            continue  # Most functions log what they are given.
        level: Severity | None = "warning" if taint.source.kind in LOCAL else None
        message = "Untrusted text can forge lines of the log"
        site.analysis.report(_PATTERN, site.node, message, taint.source, severity=level)
        return

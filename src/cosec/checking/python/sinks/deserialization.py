"""py/unsafe-deserialization: untrusted data read in a format that can carry code."""

import ast

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain.program import Class, Function
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import Taint, Value
from cosec.checking.python.knowledge.sinks import LOADERS, SAFE_LOADERS, YAML_LOADERS
from cosec.checking.python.knowledge.sources import LOCAL
from cosec.checking.python.sinks.rows import arguments, matching

_PATTERN = "py/unsafe-deserialization"
_KINDS = frozenset({"remote", "argv", "input", "parameter", "download"})


def check(site: CallSite) -> None:
    """Look at one call."""
    row = matching(site, YAML_LOADERS)
    if row is not None:
        harmless = _safe_loader(site.argument(1, "Loader"))
    else:
        row = matching(site, LOADERS)
        harmless = _reads_no_code(site)
    if row is not None and not harmless:
        for data in arguments(site, row):
            _report(site, data)
    elif site.is_method and site.method == "load":
        for held in site.receiver.held("instance"):
            if isinstance(held.owner, Class) and _finds_any_class(held.owner):
                _report(site, site.receiver)


def _reads_no_code(site: CallSite) -> bool:
    """Tell whether its other arguments make a loader refuse code."""
    if site.called("numpy.load", "np.load"):
        return not _true(site.argument(2, "allow_pickle"))
    return site.called("torch.load") and _true(site.argument(None, "weights_only"))


def _true(value: Value | None) -> bool:
    return value is not None and value.constant is True


def _safe_loader(loader: Value | None) -> bool:
    if loader is None:
        return False
    if any(name.rsplit(".", 1)[-1] in SAFE_LOADERS for name in loader.names):
        return True
    return any(isinstance(target, Class) and target.base_names() & SAFE_LOADERS for target in loader.targets)


def _finds_any_class(owner: Class) -> bool:
    """Tell whether it is an unpickler that may still return every class, as `pickle.Unpickler` does."""
    if not any(name.endswith("ickle.Unpickler") for name in _outside_bases(owner)):
        return False
    finder = owner.member("find_class")
    functions = [target.node for target in finder.targets if isinstance(target, Function)] if finder is not None else []
    nodes = [each for function in functions for each in ast.walk(function)]
    restricts = any(isinstance(each, ast.Raise) for each in nodes)
    hands_on = any(isinstance(each, ast.Attribute) and each.attr == "find_class" for each in nodes)
    return not functions or (hands_on and not restricts)


def _outside_bases(owner: Class) -> set[str]:
    inherited = {name for base in owner.own_bases() for name in _outside_bases(base)}
    return inherited | {name for base in owner.bases for name in base.names}


def _from_starting_program(site: CallSite, taint: Taint) -> bool:
    """Tell whether a program reads objects from its standard input: the program that starts it sends them."""
    return (
        site.analysis.entry_points == "declared"
        and taint.source.text.startswith("sys.stdin")
        and not site.called("eval")
    )


def _report(site: CallSite, data: Value | None) -> None:
    for taint in site.analysis.harmful(data, "deserialization", _KINDS) if data is not None else ():
        if _from_starting_program(site, taint):
            continue
        level: Severity | None = "warning" if taint.source.kind in LOCAL else None
        message = "Untrusted data can make the loader run code"
        site.analysis.report(_PATTERN, site.node, message, taint.source, severity=level)
        return

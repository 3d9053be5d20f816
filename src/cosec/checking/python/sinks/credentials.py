"""py/hardcoded-credentials: passwords and keys written into the program."""

from __future__ import annotations

import ast
import itertools
import re
from functools import lru_cache

from cosec.checking.python.engine.domain.protocol import Analysis, CallSite, Reported
from cosec.checking.python.engine.domain.values import UNKNOWN, Value
from cosec.checking.python.knowledge.credentials import (
    ACTION,
    AMBIGUOUS,
    AUTHORIZATION,
    CHOICE,
    CONNECTION_STRING,
    DSN,
    FIELD,
    FIELD_WORDS,
    HASH,
    KEY,
    KEY_LIKE,
    KEYED,
    LABEL,
    MIXED,
    NO_CREDENTIALS,
    OPENS_ACCOUNT,
    PASSWORD,
    PASSWORD_SECOND,
    PASSWORD_THIRD,
    PASSWORD_WORDS,
    PLACEHOLDER,
    RANDOM,
    SEQUENCE,
    SERVICE,
    TOKEN,
    UPPER_NAME,
    URL_WITH_PASSWORD,
    WORDS_IN_CAMEL_CASE,
)

_PATTERN = "py/hardcoded-credentials"


_MESSAGE = "A credential is written into the program"


def check(site: CallSite) -> None:
    """Look at one call."""
    if site.method in NO_CREDENTIALS and not (site.method == "get" and site.within("requests", "httpx")):
        return
    _check_named(site)
    _check_places(site)
    if site.called_last({"compare_digest"}) and len(site.positional) == 2 and len(site.node.args) == 2:
        _compared(site.analysis, site.node, site.node.args, site.positional)
        _digested(site)
    for value in [*site.positional, *site.named.values()]:
        _address(site.analysis, site.node, value, site.method in {"connect", "create_engine", "create_pool"})


def _check_named(site: CallSite) -> None:
    """Check arguments by their names; those of a ``**mapping`` are looked at where the mapping is written."""
    given = {each.arg for each in site.node.keywords}
    for name, value in site.named.items():
        opens = site.method in OPENS_ACCOUNT | PASSWORD_SECOND
        if name not in given and not opens:
            continue
        if _is_credential_name(name):
            named = _names_a_field(value, name) if site.method == "dict" else not opens and _is_password_word(value)
            if not named and (texts := _written(value, name)):
                _report(site, texts)
        elif _may_name_a_key(name) and _random(value):
            _report(site)
        if name == "auth":
            _pair(site, value)


def _digested(site: CallSite) -> None:
    """Check ``compare_digest``, which compares secrets: a constant on one side is a credential."""
    written = [_written(value, "password") for value in site.positional]
    if any(written) and not all(value.constants for value in site.positional):
        _report(site)


def _check_places(site: CallSite) -> None:
    """Check functions that take a password or key at a known place."""
    place = 2 if site.method in PASSWORD_THIRD and _database(site) else 1 if site.method in PASSWORD_SECOND else None
    if place == 2 and site.within("paramiko."):
        place = 3  # The port comes before the user.
    if place is not None and place < len(site.positional) and _written(site.positional[place], "password"):
        _report(site)
    for name, place in KEYED.items():
        key = site.argument(place, "key", "secret_key") if name in site.names else None
        if key is not None and any(_is_key(each, label=site.within("hmac.")) for each in _texts(key)):
            _report(site)
    if any(_random(value) for value in site.positional) and SERVICE.search(site.method):
        _report(site)


def _database(site: CallSite) -> bool:
    return not site.within("sqlite3.", "socket.")


def _report(site: CallSite, texts: tuple[str, ...] = ()) -> None:
    site.analysis.report(_PATTERN, site.node, _MESSAGE, literals=texts)


def _pair(site: CallSite, value: Value) -> None:
    for held in value.held("tuple"):
        if _written(held.fields.get((1,), UNKNOWN), "password"):
            _report(site)


def _address(analysis: Analysis, node: ast.expr, value: Value, dsn: bool) -> None:
    for each in value.constants:
        if not isinstance(each, str):
            continue
        if TOKEN.search(each):
            analysis.report(_PATTERN, node, _MESSAGE, severity="error")
        found = URL_WITH_PASSWORD.search(each) or CONNECTION_STRING.search(each) or (DSN.search(each) if dsn else None)
        if found is not None and not PLACEHOLDER.search(found[found.lastindex or 0]):
            analysis.report(_PATTERN, node, _MESSAGE)


def _random(value: Value) -> bool:
    """Tell whether a value is a text of random letters and digits, as generated keys are."""
    for each in value.constants:
        if not isinstance(each, str) or not RANDOM.search(each) or SEQUENCE.search(each.lower()):
            continue
        if 2 * sum(map(len, WORDS_IN_CAMEL_CASE.findall(each))) > len(each):
            continue
        kinds = [letter.isdigit() + 2 * letter.isupper() for letter in each]
        if (
            3 * sum(one != two for one, two in itertools.pairwise(kinds)) >= len(each)
            and len(set(each)) > len(each) / 2
        ):
            return True
    return False


@lru_cache(maxsize=4096)
def _is_credential_name(name: str) -> bool:
    return bool(PASSWORD.search(name) or KEY.search(name))


def _written(value: Value, name: str) -> tuple[str, ...]:
    """Return the texts in the program's source that a value may be and that may be a credential."""
    return tuple(each for each in _texts(value) if _may_be_credential(each, name))


def _texts(value: Value) -> list[str]:
    """Return the texts that a value may be, bytes decoded."""
    found = [each.decode("latin-1") if isinstance(each, bytes) else each for each in value.constants]
    return [each for each in found if isinstance(each, str)]


def _is_key(text: str, *, label: bool) -> bool:
    """Tell whether the key of a signing function is a credential: any text but a placeholder or a public key.

    ``label`` tells whether the key may be a public label, such as ``b"Bitcoin seed"``, with the secret as the message.
    """
    if re.match(r"[a-z]+( [a-z]+)+$", text, re.IGNORECASE):
        return not label
    return any(map(str.isalnum, text)) and not PLACEHOLDER.search(text)


def _may_be_credential(text: str, name: str) -> bool:
    if not text or UPPER_NAME.search(text) or ACTION.fullmatch(text):
        return False
    if PLACEHOLDER.search(text) and not _sentence(text, name):
        return False
    if KEY.search(name) and len(text) < 6:
        return False
    if ACTION.match(name) and PASSWORD.search(name) and CHOICE.match(text):
        return False
    return not AMBIGUOUS.search(name) or bool(MIXED.search(text))


@lru_cache(maxsize=4096)
def _may_name_a_key(name: str) -> bool:
    return KEY_LIKE.search(name) is not None


def _names_a_field(value: Value, name: str) -> bool:
    """Tell whether a text names the field, header or parameter of a credential: ``"X-Access-Token"``, ``"apiKey"``."""
    texts = _texts(value)
    if len(texts) > 1 and KEY.search(name) and all(CHOICE.match(each) for each in texts):
        return True  # A loop over names.
    return bool(texts) and all(_is_field_of(each, name) for each in texts)


def _is_field_of(text: str, name: str) -> bool:
    if text.lower().startswith("x-") or (FIELD.search(name) and not re.search(r"\d", text)):
        return True
    found, own = _words(text), _words(name)
    if set(found) <= PASSWORD_WORDS and set(own[-1:]) <= PASSWORD_WORDS:
        return True
    if len(found) < 2:
        named = bool(KEY.search(name) and FIELD_WORDS & set(found))
        return named or "".join(found) == "".join(own) or found == own[-1:]
    if own[-1:] == ["token"] and found[-len(own) :] == own:
        return True
    return set(found) <= FIELD_WORDS | set(own)


def _is_password_word(value: Value) -> bool:
    """Tell whether a text is a name of passwords: it stands in for one, or names its field."""
    texts = [each for each in value.constants if isinstance(each, str)]
    return bool(texts) and all(each.lower() in PASSWORD_WORDS for each in texts)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower())


def _sentence(text: str, name: str) -> bool:
    """Tell whether a text is a pass phrase: it may have spaces, unlike a placeholder."""
    return (
        bool(PASSWORD.search(name))
        and " " in text
        and text[0].isalnum()
        and not text.rstrip().endswith((":", "?", "."))
        and len(text) < 40
        and not LABEL.search(text)
    )


def check_assignment(analysis: Analysis, node: ast.expr, name: str, value: Value) -> None:
    """Look at ``password = "…"`` and ``{"password": "…"}``."""
    if "regex" in value.flags:
        return  # A pattern of names or of texts.
    if _is_credential_name(name) and (texts := _written(value, name)):
        configures = isinstance(node, ast.Subscript | ast.Attribute)
        if not (_is_password_word(value) if configures else _names_a_field(value, name)):
            analysis.report(_PATTERN, node, _MESSAGE, literals=texts)
    elif _may_name_a_key(name) and _random(value):
        analysis.report(_PATTERN, node, _MESSAGE)
    elif name.lower() in {"authorization", "x-api-key", "x-auth-token"}:
        for each in value.constants:
            if isinstance(each, str) and (
                AUTHORIZATION.match(each) or (name.lower() != "authorization" and len(each) > 7)
            ):
                analysis.report(_PATTERN, node, _MESSAGE)
    else:
        _address(analysis, node, value, dsn=False)


def check_comparison(analysis: Analysis, node: ast.Compare, left: Value, kind: ast.cmpop, right: Value) -> None:
    """Look at ``password == "…"``."""
    sides = [node.left, *node.comparators]
    if len(sides) != 2:
        return
    if isinstance(kind, ast.Eq | ast.NotEq):
        _compared(analysis, node, sides, [left, right])
    elif isinstance(kind, ast.In | ast.NotIn):
        items = [item for held in right.holds if held.kind != "dict" for item in held.items()]
        if any(_written(item, each) for each in _password_names(sides[0], left) for item in items):
            analysis.report(_PATTERN, node, _MESSAGE)


def _compared(analysis: Analysis, node: ast.expr, sides: list[ast.expr], values: list[Value]) -> None:
    if all(isinstance(side, ast.Tuple) for side in sides):
        first, second = sides
        assert isinstance(first, ast.Tuple)
        assert isinstance(second, ast.Tuple)
        for one, two in zip(first.elts, second.elts, strict=False):
            _compared(analysis, node, [one, two], [analysis.evaluate(one), analysis.evaluate(two)])
        return
    for (side, value), other in zip(zip(sides, values, strict=True), reversed(values), strict=True):
        for each in _password_names(side, value):
            if texts := _written(other, each):
                analysis.report(_PATTERN, node, _MESSAGE, literals=texts)
        hashed = re.search(r"hash|digest|md5|sha\d|crypt", ast.unparse(side), re.IGNORECASE)
        if hashed and any(isinstance(each, str) and HASH.match(each) for each in other.constants):
            analysis.report(_PATTERN, node, _MESSAGE)


def _password_names(side: ast.expr, value: Value) -> list[str]:
    """Return the names and origins by which one side of a comparison is a submitted password or key.

    A name that means nothing else is returned as ``password``, as a key that is compared may have any length.
    """
    if isinstance(side, ast.Constant):
        return []
    if any(name.endswith("getpass()") for name in value.names):
        return ["password"]
    words = [side.id] if isinstance(side, ast.Name) else [side.attr] if isinstance(side, ast.Attribute) else []
    if isinstance(side, ast.Call) and isinstance(side.func, ast.Attribute) and side.func.attr in {"strip", "encode"}:
        return _password_names(side.func.value, value)
    steps = [step.strip("[].") for taint in value.untrusted() for step in taint.lineage[-2:]]
    names = [*words, *steps, *(match for step in steps for match in re.findall(r"'(\w+)'", step))]
    found = [
        each
        for each in names
        if _is_credential_name(each) or re.search(r"api[-_]?key|auth[-_]?token", each, re.IGNORECASE)
    ]
    return [each if AMBIGUOUS.search(each) or ACTION.match(each) else "password" for each in found]


def finish(analysis: Analysis) -> None:
    """Keep one finding for each credential: where it is written, rather than where it is handed on."""
    texts = {text for reported in analysis.findings.values() for text in reported.literals}
    lines: dict[str, set[int]] = {text: set() for text in texts}
    for node in ast.walk(analysis.program.tree) if texts else ():
        if isinstance(node, ast.Constant) and node.value in texts:
            lines[node.value].add(node.lineno)
    places = {place: _holds(reported, lines) for place, reported in analysis.findings.items() if reported.literals}
    written = {text for found in places.values() for text in found}
    for place, found in places.items():
        if not found and written.issuperset(analysis.findings[place].literals):
            del analysis.findings[place]


def _holds(reported: Reported, lines: dict[str, set[int]]) -> set[str]:
    """Return the credentials of a finding that stand in its own lines."""
    return {text for text in reported.literals if any(each in reported.lines for each in lines[text])}

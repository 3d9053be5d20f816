"""Results of functions that make markup of text."""

from __future__ import annotations

from cosec.checking.python.engine.domain import texts
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, Value


def escaped(site: CallSite) -> Value | None:
    """Return ``escape(text)``: of markup, of a regular expression or of a pattern of files."""
    value = site.first
    if site.within("re.", "regex."):
        return value.step("escape").without({"regex"})
    if site.within("glob.", "fnmatch."):
        return value
    if site.within("pymysql.", "MySQLdb.", "asyncmy.", "aiomysql."):
        return value.step("escape").without({"sql"})
    made = value.step("escape").without({"xss"})
    declared = site.within("markupsafe.", "flask.", "django.", "jinja2.")
    return made.with_(flags=frozenset({"markup"}) if declared else frozenset())


def format_html(site: CallSite) -> Value:
    """Return markup with its arguments escaped."""
    arguments = [each.without({"xss"}) for each in site.positional[1:]]
    named = {name: each.without({"xss"}) for name, each in site.named.items()}
    made = texts.brace_format(site.first, arguments, named, UNKNOWN) or UNKNOWN
    return made.with_(flags=frozenset({"markup"}))


def declared_safe(site: CallSite) -> Value:
    """Return text that the program declares to be markup."""
    # The sink has reported it already.
    made = site.first.without({"xss"})
    return made.with_(flags=made.flags | {"markup"})


def restructured(site: CallSite) -> Value:
    """Return the page that docutils makes; it escapes all text unless the text may contain raw HTML."""
    settings = site.argument(None, "settings_overrides") or UNKNOWN
    raw = [held.fields.get(("raw_enabled",), UNKNOWN).constant for held in settings.holds]
    made = (site.argument(0, "source") or UNKNOWN).step("docutils")
    return made.without({"xss"}) if raw and all(each is False for each in raw) else made

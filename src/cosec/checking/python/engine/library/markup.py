"""Results of functions that make markup of text."""

from __future__ import annotations

import re

from cosec.checking.python.engine.domain import texts
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, Value


def escaped(site: CallSite) -> Value | None:
    """Return ``escape(text)``: of markup, of a regular expression or of a pattern of files."""
    value = site.first
    if site.within("re.", "regex."):
        known = tuple(map(re.escape, value.strings))
        return value.step("escape").without({"regex"}).with_(constants=known, exact=bool(known))
    if site.within("glob.", "fnmatch."):
        return value
    if site.within("pymysql.", "MySQLdb.", "asyncmy.", "aiomysql."):
        return value.step("escape").without({"sql"})
    made = value.step("escape").without({"xss"})
    # The safe strings of Django do not escape what is added to them.
    declared = site.within("markupsafe.", "flask.", "jinja2.")
    return made.with_(flags=frozenset({"markup"}) if declared else frozenset())


def format_html(site: CallSite) -> Value:
    """Return Django's ``format_html(format, …)``, which escapes its arguments."""
    arguments = [each.without({"xss"}) for each in site.positional[1:]]
    named = {name: each.without({"xss"}) for name, each in site.named.items()}
    return texts.brace_format(site.first, arguments, named, UNKNOWN) or UNKNOWN


def declared_safe(site: CallSite) -> Value:
    """Return ``mark_safe(text)`` of Django: text that the program declares to be markup."""
    return site.first.without({"xss"})  # The sink has reported it already.


def markup(site: CallSite) -> Value:
    """Return ``Markup(text)``, which also escapes what is added to it later."""
    made = declared_safe(site)
    return made.with_(flags=made.flags | {"markup"})


def restructured(site: CallSite) -> Value:
    """Return the page that docutils makes; it escapes all text unless the text may contain raw HTML."""
    settings = site.argument(None, "settings_overrides") or UNKNOWN
    raw = [held.fields.get(("raw_enabled",), UNKNOWN).constant for held in settings.holds]
    made = (site.argument(0, "source") or UNKNOWN).step("docutils")
    return made.without({"xss"}) if raw and all(each is False for each in raw) else made

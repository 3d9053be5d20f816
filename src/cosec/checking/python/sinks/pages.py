"""py/cross-site-scripting and py/template-without-escaping: untrusted text that a browser takes for markup."""

from __future__ import annotations

import ast
import re

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain.program import text_of
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, WHOLE, Held, Taint, Value, constant, holding
from cosec.checking.python.knowledge.frameworks import WEB_MODULES
from cosec.checking.python.knowledge.pages import (
    ENVIRONMENTS,
    HARMLESS_CONTENT,
    HTML_BODIES,
    MARKUP,
    RESPONSES,
    TAG,
    TEMPLATES,
    TEXT_FRAMEWORKS,
    UNESCAPED,
)
from cosec.checking.python.sinks import markup
from cosec.checking.python.sinks.markup import MESSAGE, PATTERN

_TEMPLATE_PATTERN = "py/template-without-escaping"
_KINDS = frozenset({"remote", "parameter", "input", "download"})
_PAGE_HEADER = re.compile(r"content-type:\s*text/html", re.IGNORECASE)


class Pages:
    """Responses and template engines of a file, judged at the end, when all headers and settings are known."""

    def __init__(self) -> None:
        self._made: list[tuple[Held, ast.expr | ast.stmt, list[Taint]]] = []
        self._engines: dict[ast.expr | ast.stmt, list[Held]] = {}

    def made(self, site: CallSite) -> Value | None:
        """Return the value of a call that makes a response or a template engine; None for any other."""
        return self._engine(site) if site.names & ENVIRONMENTS else self._response(site)

    def _engine(self, site: CallSite) -> Value:
        escape = site.argument(None, "autoescape") or constant(False)
        held = Held("engine", {"autoescape": escape}, depth=site.analysis.depth)
        place = site.analysis.place(site.node, None)
        if place is not None and not any(name.startswith("**") for name in site.named):
            self._engines.setdefault(place, []).append(held)
        return holding(held).with_(names=frozenset(f"{name}()" for name in site.names))

    def _response(self, site: CallSite) -> Value | None:
        if site.method == "set_data" and site.positional:
            for held in site.receiver.held("response"):
                self._send(held, site, site.positional[0])
        made = site.method in RESPONSES or site.called("sanic.response.html", "sanic.html")
        if not made or site.within("requests.", "rest_framework."):
            return None
        body = site.argument(0, "response", "content", "body", "text", "rv") or site.argument(None, "text")
        fields: dict[object, Value] = {}
        for name in ("mimetype", "content_type", "media_type", "headers"):
            given = site.argument(None, name)
            if given is not None:
                fields[name] = given
        if site.within("django.") and len(site.positional) > 1:
            fields["content_type"] = site.positional[1]
        fields.setdefault("headers", holding(Held("dict")))
        held = Held("response", fields)
        text_default = site.within("aiohttp.") or any(name.startswith("web.") for name in site.names)
        starlette = site.method == "Response" and site.within("fastapi.", "starlette.")
        declared = [*fields.values(), *(each for one in fields["headers"].holds for each in one.items())]
        if (text_default or starlette) and not any("html" in each.letters() for each in declared):
            return holding(held)
        if body is not None and not body.held("dict", "response", "instance"):
            for one in body.held("tuple"):
                body = one.fields.get((0,), UNKNOWN)
            self._send(held, site, body)
        return holding(held)

    def _send(self, response: Held, site: CallSite, body: Value) -> None:
        """Note what a response sends."""
        taints = site.analysis.harmful(body, "xss", _KINDS)
        place = site.analysis.place(site.node, taints[0].source) if taints else None
        if place is not None:
            self._made.append((response, place, taints))

    def finish(self, analysis: Analysis) -> None:
        """Report the responses that are sent as HTML, and the template engines that never escape."""
        for held, node, taints in self._made:
            if not _is_plain(held, analysis):
                analysis.report(PATTERN, node, MESSAGE, taints[0].source)
        for node, engines in self._engines.items():
            if all(_is_off(held.fields["autoescape"]) for held in engines):
                _report_engine(analysis, node)


def check_result(analysis: Analysis, value: Value, node: ast.Return | ast.Yield) -> None:
    """Look at what a request handler or another entry point returns or yields."""
    if not analysis.frame.handler:
        if analysis.frame.entry:
            markup.check_result(analysis, value, node)
    elif isinstance(node, ast.Return):
        _check_answer(analysis, value, node)


def _check_answer(analysis: Analysis, value: Value, node: ast.Return) -> None:
    framework = analysis.frame.handler
    html = framework == "fastapi" and _html_by_decorator(analysis)
    if framework not in TEXT_FRAMEWORKS and not html:
        return
    body = value
    for held in value.held("tuple"):
        body = held.fields.get((0,), UNKNOWN)
        others = [each.letters() for key, each in held.fields.items() if key != (0,)]
        others += [each.letters() for item in held.items() for one in item.held("dict") for each in one.items()]
        if any(HARMLESS_CONTENT.search(each) for each in others):
            return
    if framework == "wsgi":
        body = Value(taints=body.all_taints()) if not _sends_plain_text(analysis) else UNKNOWN
    if any(
        held.kind in {"dict", "instance", "response"} or (held.kind == "list" and framework != "wsgi")
        for held in body.holds
    ):
        return
    if "content" in _text_names(analysis):
        return
    for taint in analysis.harmful(body, "xss", _KINDS):
        analysis.report(PATTERN, node, MESSAGE, taint.source)
        return


def _text_names(analysis: Analysis) -> set[str]:
    state = analysis.frame.state.names
    stored = [
        name for name in analysis.stored_texts if name.endswith((".content_type", ".mimetype", "['Content-Type']"))
    ]
    return (
        {"content"}
        if any(name in state and HARMLESS_CONTENT.search(state[name].letters()) for name in stored)
        else set()
    )


def _html_by_decorator(analysis: Analysis) -> bool:
    function = analysis.frame.function
    return function is not None and any("HTMLResponse" in text_of(each) for each in function.decorators)


def _sends_plain_text(analysis: Analysis) -> bool:
    function = analysis.frame.function
    return function is not None and bool(HARMLESS_CONTENT.search(text_of(function.node)))


def _is_plain(held: Held, analysis: Analysis) -> bool:
    texts = [value.letters() for key, value in held.fields.items() if key in {"mimetype", "content_type", "media_type"}]
    headers = held.fields.get("headers", UNKNOWN)
    texts += [value.letters() for one in headers.holds for key, value in one.fields.items() if _is_content_type(key)]
    texts += [one.element.letters() for one in headers.holds if one.element is not None]
    texts += [value.letters() for key, value in held.fields.items() if _is_content_type(key)]
    return any(HARMLESS_CONTENT.search(each) for each in texts)


def _is_content_type(key: object) -> bool:
    return isinstance(key, tuple) and str(key[0]).lower() == "content-type"


def check(site: CallSite) -> None:
    """Look at one call."""
    method = site.method
    if method in RESPONSES and not site.within("requests.", "rest_framework."):
        return
    if method in MARKUP:
        _report(site, site.argument(0, "base", "s"))
    elif (
        method == "render_template_string"
        or site.called("bottle.template")
        or (method == "from_string" and site.is_method)
    ):
        _template_text(site, site.argument(0, "source"))
    elif (
        method in {"Template"}
        and not site.within("string.")
        and (site.names & TEMPLATES or site.within("django.template", "mako"))
    ):
        _template_text(site, site.argument(0, "source", "text"))
    elif site.within("streamlit.") and (method == "html" or _allows_html(site)):
        _report(site, site.argument(0, "body", "html"))
    elif method == "format_html":
        _report(site, site.argument(0, "format_string"))
    elif site.is_method and method in {"write", "finish"}:
        _written(site)
    elif site.called("print"):
        _printed(site)
    elif (
        method == "send_header"
        and str(site.argument(0, "keyword") and site.positional[0].constant).lower() == "content-type"
    ):
        site.analysis.frame.state.names["<content type>"] = site.argument(1, "value") or UNKNOWN
    else:
        _handed_on(site)
    _escaping(site)


def _handed_on(site: CallSite) -> None:
    if site.method in HTML_BODIES:
        _mail_body(site, *HTML_BODIES[site.method])
    else:
        markup.check_handed_on(site)


def _mail_body(site: CallSite, place: int, name: str) -> None:
    """Check the body of a mail that is declared to be HTML."""
    declared = site.argument(place, name)
    body = site.argument(0, "content", "_text")
    if declared is None or body is None or not re.fullmatch(r"(text/)?html", str(declared.constant)):
        return
    if any(taint.source.kind != "parameter" for taint in site.analysis.harmful(body, "xss", _KINDS)):
        _report(site, body)
    elif site.analysis.frame.entry:
        markup.check(site.analysis, body, site.node)


def _allows_html(site: CallSite) -> bool:
    """Tell whether streamlit is told to show markup as it is."""
    allowed = site.argument(None, "unsafe_allow_html")
    return allowed is not None and allowed.constant is True


def _template_text(site: CallSite, template: Value | None) -> None:
    if template is None:
        return
    # A function that fills the template that it is told to is no finding, unlike one that makes the template.
    given = any(taint.source.kind == "parameter" and WHOLE not in taint.neutral for taint in template.taints)
    if not given:
        _report(site, template)
    if UNESCAPED.search(template.letters()):
        context = [*site.positional[1:], *site.named.values(), site.rest]
        for value in context:
            _report(site, value)


def _written(site: CallSite) -> None:
    """Check ``self.write`` of tornado, ``self.wfile.write`` of `http.server` and ``response.write``."""
    text = text_of(site.node.func)
    if text.endswith("wfile.write"):
        kind = site.analysis.look_up("<content type>")
        if not HARMLESS_CONTENT.search(kind.letters()):
            _report(site, site.argument(0))
    elif text in {"self.write", "self.finish"} and (
        "tornado" in site.analysis.program.imported or not site.analysis.program.imported
    ):
        body = site.argument(0, "chunk")
        if body is not None and not body.held("dict"):
            _report(site, body)
    elif any("Response" in name for name in site.names) or site.receiver.held("response"):
        _report(site, site.argument(0))
    else:
        markup.check_handed_on(site)


def _printed(site: CallSite) -> None:
    """Check what a CGI program prints after a header that declares a page."""
    if any(_PAGE_HEADER.search(each.letters()) for each in site.positional):
        site.analysis.frame.state.names["<prints a page>"] = constant(True)
    if site.analysis.look_up("<prints a page>").constant is True:
        for each in site.positional:
            _report(site, each)


def _is_off(escape: Value) -> bool:
    """Tell whether ``autoescape`` is certainly off."""
    return escape.exact and not any(escape.constants)


def _report_engine(analysis: Analysis, node: ast.expr | ast.stmt) -> None:
    if _makes_pages(analysis):
        message = "A template engine is made without automatic escaping"
        severity: Severity = "warning" if WEB_MODULES & analysis.program.imported else "note"
        analysis.report(_TEMPLATE_PATTERN, node, message, severity=severity)


def _escaping(site: CallSite) -> None:
    """Look at single templates and at what is escaped."""
    if site.names & TEMPLATES:
        escape = site.argument(None, "autoescape")
        if escape is None and any(name.startswith("**") for name in site.named):
            return
        if escape is None or _is_off(escape):
            _report_engine(site.analysis, site.node)
    elif site.method == "select_autoescape":
        default = site.argument(None, "default_for_string", "default")
        enabled = site.argument(0, "enabled_extensions")
        empty = enabled is not None and any(not held.items() for held in enabled.holds)
        if empty and (default is None or default.constant is False):
            site.analysis.report(_TEMPLATE_PATTERN, site.node, "Automatic escaping covers no template files")


def _makes_pages(analysis: Analysis) -> bool:
    """Tell whether the file is about pages, as templates also make configurations, programs and messages."""
    if analysis.entry_points == "all" or WEB_MODULES & analysis.program.imported:
        return True
    texts = (node.value for node in ast.walk(analysis.program.tree) if isinstance(node, ast.Constant))
    return any(isinstance(text, str) and (".htm" in text or TAG.search(text)) for text in texts)


def check_assignment(analysis: Analysis, node: ast.expr, name: str, value: Value) -> None:
    """Look at ``environment.autoescape = False``."""
    if name == "autoescape" and isinstance(node, ast.Attribute) and _is_off(value):
        analysis.report(_TEMPLATE_PATTERN, node, "Automatic escaping is switched off")


def _report(site: CallSite, text: Value | None) -> None:
    for taint in site.analysis.harmful(text, "xss", _KINDS) if text is not None else ():
        site.analysis.report(PATTERN, site.node, MESSAGE, taint.source)
        return

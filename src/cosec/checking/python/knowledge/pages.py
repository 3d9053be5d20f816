"""Web pages: responses, markup, template engines, and the content types that no browser runs."""

import re

from cosec.checking.python.knowledge.words import words

TEXT_FRAMEWORKS = frozenset({"flask", "quart", "bottle", "cherrypy", "wsgi"})
"""Frameworks that send a text returned by a handler as HTML."""

RESPONSES = words(
    "Response make_response HttpResponse HTMLResponse StreamingHttpResponse HttpResponseBadRequest HttpResponseNotFound"
    " HttpResponseForbidden HttpResponseServerError"
)
"""Functions that make a response; a text in it is HTML unless its headers say otherwise."""

MARKUP = frozenset({"Markup", "mark_safe", "SafeString", "SafeText"})
"""Functions that declare a text to be safe markup."""

ENVIRONMENTS = frozenset(
    {
        "jinja2.Environment",
        "jinja2.environment.Environment",
        "jinja2.sandbox.SandboxedEnvironment",
        "jinja2.sandbox.ImmutableSandboxedEnvironment",
        "SandboxedEnvironment",
        "jinja2.Environment.overlay",
    }
)
"""Template engines that do not escape by default; ``NativeEnvironment`` makes Python objects, never pages."""

ESCAPED_RESULTS = words("filter simple_tag")
"""Decorators of Django for functions whose result a template escapes, unless it is declared to be safe markup."""

TEMPLATES = frozenset({"jinja2.Template", "jinja2.environment.Template"})
"""Single templates of such an engine."""

UNESCAPED = re.compile(r"\{\{!|\{\{[^}]*\|\s*safe\b|\{%-?\s*autoescape\s+(false|off)\b", re.IGNORECASE)
"""A value that a template inserts without escaping."""

HARMLESS_CONTENT = re.compile(
    r"text/plain|json|text/csv|octet-stream|image/(?!svg)|application/pdf|text/event-stream", re.IGNORECASE
)
"""Content types that a browser does not run."""

TAG = re.compile(
    r"</?(a|b|i|p|div|span|h[1-6]|li|ul|ol|td|th|tr|table|html|body|script|img|strong|em|title|input|form|button|option|"
    r"section|article|header|footer|blockquote|pre|code|label|svg|iframe|br|dt|dd|style|small)\b[^<]*>?",
    re.IGNORECASE,
)
"""A tag of HTML in known text."""

MARKUP_NAMES = re.compile(r"'\w*(html|markup|children|fragment|template|svg|xml|inner)\w*'", re.IGNORECASE)
"""Parameters whose name says that they hold markup."""

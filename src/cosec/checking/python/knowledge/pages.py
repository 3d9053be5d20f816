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

MARKUP_TYPES = MARKUP | {"SafeData"}
"""Types of texts that are markup."""

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
    r"section|article|header|footer|blockquote|pre|code|label|svg|iframe|br|dt|dd|style|small|thead|tbody|tfoot|caption|"
    r"dl|hr|nav|textarea|datalist|fieldset|legend|details|figure|font|center|del|ins|sub|sup|kbd)\b[^<]*>?|"
    r"<(meta|link|source|video|audio|embed|object|base|select|time|abbr|area|cite|q|mark)\s+[\w:-]+=",
    re.IGNORECASE,
)
"""A tag of HTML in known text; some names are tags only if an attribute follows."""

MARKUP_NAMES = re.compile(r"html|markup|children|fragment|template|svg|xml|inner", re.IGNORECASE)
"""Names of values that hold markup."""

NUMBER_NAMES = re.compile(
    r"(^|_)(id|pk|n|number|count|index|size|width|height|level|depth|page|total|year|port|percent)$",
    re.IGNORECASE,
)
"""Names of values that are numbers."""

STRUCTURE = words("< class id name for type rows cols width height colspan rowspan role lang dir method target rel")
"""Attributes that a program fills with its own names and numbers; ``<`` stands for the names of tags and attributes."""

HTML_BODIES = {
    "set_content": (1, "subtype"),
    "add_alternative": (1, "subtype"),
    "MIMEText": (1, "_subtype"),
    "attach_alternative": (1, "mimetype"),
}
"""Functions that take the body of a mail, with the place and name of the argument that declares it to be HTML."""

CHANNELS = re.compile(
    r"^((write|writelines|send|emit|respond|reply|broadcast|publish)|(?P<adds>append|extend))(_\w+)?$"
)
"""Methods that hand a text on; those that only add it to a container are named apart."""

"""A stand-in for django: requests, answers, the database connection (SQLite), escaping; and ``visit`` to call a view."""

import html as _html
import json as _json
import re
import sqlite3
import sys
import types
from pathlib import Path
from urllib.parse import urlsplit

__path__ = []


def _module(name, **content):
    module = types.ModuleType(f"django.{name}")
    module.__path__ = []
    module.__dict__.update(content)
    sys.modules[module.__name__] = module
    return module


class HttpResponse:
    """An answer."""

    status_code = 200

    def __init__(self, content=b"", content_type=None, status=None, **_kwargs):
        if not isinstance(content, (str, bytes)):
            content = b"".join(part if isinstance(part, bytes) else part.encode() for part in content)
        self.content = content if isinstance(content, bytes) else content.encode()
        self.status_code = status or type(self).status_code
        self.headers = {}

    def __setitem__(self, name, value):
        self.headers[name] = value

    def __getitem__(self, name):
        return self.headers[name]

    def write(self, text):
        self.content += text if isinstance(text, bytes) else text.encode()

    def set_cookie(self, *_args, **_kwargs):
        """Nobody keeps it."""

    @property
    def text(self):
        return self.content.decode()


class HttpResponseBadRequest(HttpResponse):
    status_code = 400


class HttpResponseForbidden(HttpResponse):
    status_code = 403


class HttpResponseNotFound(HttpResponse):
    status_code = 404


class HttpResponseRedirect(HttpResponse):
    status_code = 302

    def __init__(self, redirect_to, **_kwargs):
        super().__init__()
        self.url = str(redirect_to)
        self["Location"] = self.url


class JsonResponse(HttpResponse):
    def __init__(self, data, safe=True, **kwargs):
        super().__init__(_json.dumps(data), **{k: v for k, v in kwargs.items() if k == "status"})


class FileResponse(HttpResponse):
    def __init__(self, opened, *_args, **_kwargs):
        super().__init__(opened.read())
        opened.close()


class Http404(Exception):
    """Nothing there."""


class PermissionDenied(Exception):
    """Not allowed."""


class SuspiciousOperation(Exception):
    """A bad request."""


class _Cursor:
    def __init__(self, connection):
        self._cursor = connection.cursor()

    def execute(self, sql, params=None):
        if params is None:
            self._cursor.execute(sql)
        else:
            named = isinstance(params, dict)
            sql = re.sub(r"%\((\w+)\)s", r":\1", sql) if named else sql.replace("%s", "?")
            self._cursor.execute(sql.replace("%%", "%"), params if named else tuple(params))

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._cursor.close()

    def __iter__(self):
        return iter(self._cursor)

    def __getattr__(self, name):
        return getattr(self._cursor, name)


class _Connection:
    """``django.db.connection``; a test fills ``connection.sqlite``."""

    def __init__(self):
        self.sqlite = sqlite3.connect(":memory:", isolation_level=None)

    def cursor(self):
        return _Cursor(self.sqlite)

    class _Operations:
        @staticmethod
        def quote_name(name):
            return '"' + name + '"'

    ops = _Operations()


class _Atomic:
    def __call__(self, function=None, **_kwargs):
        return function if callable(function) else self

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        return None


class SafeString(str):
    """Text that is safe in a page; with other text it becomes ordinary text again."""

    def __html__(self):
        return self

    def __add__(self, other):
        added = str.__add__(self, other)
        return SafeString(added) if hasattr(other, "__html__") else added

    def __str__(self):
        return self


def escape(text):
    return SafeString(_html.escape(str(text)))


def conditional_escape(text):
    return SafeString(text.__html__()) if hasattr(text, "__html__") else escape(text)


def format_html(format_string, *args, **kwargs):
    escaped = {name: conditional_escape(value) for name, value in kwargs.items()}
    return SafeString(format_string.format(*map(conditional_escape, args), **escaped))


def format_html_join(sep, format_string, rows):
    return SafeString(conditional_escape(sep).join(format_html(format_string, *row) for row in rows))


def mark_safe(text):
    return SafeString(text)


def strip_tags(text):
    return re.sub(r"<[^>]*>", "", str(text))


def url_has_allowed_host_and_scheme(url, allowed_hosts, require_https=False):
    parts = urlsplit(url.replace("\\", "/"))
    hosts = {allowed_hosts} if isinstance(allowed_hosts, str) else set(allowed_hosts or ())
    if url.startswith("///") or (parts.scheme and not parts.netloc):
        return False
    schemes = {"https"} if require_https else {"http", "https"}
    return (not parts.netloc or parts.netloc in hosts) and (not parts.scheme or parts.scheme in schemes)


def _any_decorator(*args, **_kwargs):
    return args[0] if len(args) == 1 and callable(args[0]) else lambda view: view


def redirect(to, *_args, **_kwargs):
    return HttpResponseRedirect(to)


class _Settings(types.SimpleNamespace):
    """A test sets what its program reads."""


settings = _Settings(BASE_DIR=Path.cwd(), MEDIA_ROOT="media", DEBUG=False)

http = _module(
    "http",
    HttpRequest=object,
    HttpResponse=HttpResponse,
    HttpResponseBadRequest=HttpResponseBadRequest,
    HttpResponseForbidden=HttpResponseForbidden,
    HttpResponseNotFound=HttpResponseNotFound,
    HttpResponseRedirect=HttpResponseRedirect,
    JsonResponse=JsonResponse,
    FileResponse=FileResponse,
    Http404=Http404,
)
db = _module("db", connection=_Connection(), transaction=types.SimpleNamespace(atomic=_Atomic()))
conf = _module("conf", settings=settings)
shortcuts = _module("shortcuts", redirect=redirect)
utils = _module("utils")
utils.html = _module(
    "utils.html",
    escape=escape,
    conditional_escape=conditional_escape,
    format_html=format_html,
    format_html_join=format_html_join,
    mark_safe=mark_safe,
    strip_tags=strip_tags,
    html=_html,
)
utils.safestring = _module("utils.safestring", mark_safe=mark_safe, SafeString=SafeString)
utils.http = _module("utils.http", url_has_allowed_host_and_scheme=url_has_allowed_host_and_scheme)
core = _module("core")
core.exceptions = _module(
    "core.exceptions", PermissionDenied=PermissionDenied, SuspiciousOperation=SuspiciousOperation
)
views = _module("views")
views.decorators = _module("views.decorators")
views.decorators.http = _module(
    "views.decorators.http",
    require_GET=_any_decorator,
    require_POST=_any_decorator,
    require_http_methods=_any_decorator,
    require_safe=_any_decorator,
)
views.decorators.csrf = _module("views.decorators.csrf", csrf_exempt=_any_decorator)
contrib = _module("contrib")
contrib.auth = _module("contrib.auth")
contrib.auth.decorators = _module("contrib.auth.decorators", login_required=_any_decorator)


class QueryDict(dict):
    """Fields of a request."""

    def getlist(self, key):
        return [self[key]] if key in self else []


def visit(view, *args, GET=None, POST=None, META=None, COOKIES=None, FILES=None, body=b"", user_id=1, **path_values):  # noqa: N803
    """Call a view with a request made of these fields; ``Http404`` becomes an answer with status 404."""
    request = types.SimpleNamespace(
        GET=QueryDict(GET or {}),
        POST=QueryDict(POST or {}),
        META={"REMOTE_ADDR": "127.0.0.1", **(META or {})},
        COOKIES=dict(COOKIES or {}),
        FILES=dict(FILES or {}),
        body=body,
        method="POST" if POST is not None or body else "GET",
        user=types.SimpleNamespace(id=user_id, pk=user_id, is_authenticated=True, username="ada"),
        path="/",
        headers=dict(META or {}),
        get_host=lambda: "localhost",
    )
    try:
        return view(request, *args, **path_values)
    except Http404 as error:
        return HttpResponse(str(error), status=404)

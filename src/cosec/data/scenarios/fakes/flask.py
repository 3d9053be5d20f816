"""A stand-in for flask: as much of it as a small program uses, and ``visit`` to call one of its views."""

import json as _json
import logging
import os
from pathlib import Path
from urllib.parse import quote as _quote

from markupsafe import Markup, escape  # noqa: F401 - old versions of flask export them


class HTTPException(Exception):
    """What ``abort`` raises."""

    def __init__(self, code, description=""):
        super().__init__(code, description)
        self.code = code
        self.description = description


class MultiDict(dict):
    """Query or form fields."""

    def get(self, key, default=None, type=None):
        if key not in self:
            return default
        try:
            return type(self[key]) if type else self[key]
        except ValueError:
            return default

    def __getitem__(self, key):
        if key not in self:
            raise HTTPException(400, key)
        return super().__getitem__(key)

    def getlist(self, key):
        return [self[key]] if key in self else []

    def to_dict(self):
        return dict(self)


class Headers(dict):
    """Headers, whatever the case of their names."""

    def get(self, key, default=None, type=None):
        return next((value for name, value in self.items() if name.lower() == key.lower()), default)

    def __getitem__(self, key):
        found = self.get(key)
        if found is None:
            raise HTTPException(400, key)
        return found

    def __contains__(self, key):
        return self.get(key) is not None


class FileStorage:
    """An uploaded file."""

    def __init__(self, filename, data):
        self.filename = filename
        self._data = data
        self.stream = self

    def read(self, *_size):
        return self._data

    def save(self, target):
        Path(target).write_bytes(self._data)


class _Request:
    def _set(self, *, args=None, form=None, json=None, files=None, cookies=None, headers=None, data=b"", method="GET"):
        self.args, self.form = MultiDict(args or {}), MultiDict(form or {})
        self.values = MultiDict({**self.args, **self.form})
        self.files = MultiDict(files or {})
        self.cookies, self.headers = MultiDict(cookies or {}), Headers(headers or {})
        self.json = json
        self.data = data or (b"" if json is None else _json.dumps(json).encode())
        self.method, self.remote_addr, self.path = method, "127.0.0.1", "/"
        self.is_json = json is not None
        self.origin = self.headers.get("Origin")
        self.referrer = self.headers.get("Referer")
        self.host = "localhost"
        self.host_url = "http://localhost/"

    def get_json(self, force=False, silent=False):
        return self.json

    def get_data(self, as_text=False, cache=True):
        return self.data.decode() if as_text else self.data


request = _Request()
request._set()
session = {}


class _Namespace:
    """``g``: whatever is put in it."""


g = _Namespace()


class Response:
    """An answer."""

    def __init__(self, response="", status=200, headers=None, mimetype="text/html", content_type=None):
        self.data = response if isinstance(response, bytes) else "".join(response).encode()
        self.status_code = int(str(status).split()[0])
        self.headers = dict(headers or {})
        self.mimetype = content_type or mimetype
        self.cookies = {}

    @property
    def text(self):
        return self.data.decode()

    @property
    def json(self):
        return _json.loads(self.data)

    def get_json(self):
        return self.json

    def set_cookie(self, key, value="", **_options):
        self.cookies[key] = value

    def set_data(self, value):
        self.data = value if isinstance(value, bytes) else value.encode()


class Config(dict):
    """An application's settings."""

    def from_mapping(self, *args, **kwargs):
        self.update(*args, **kwargs)

    def from_object(self, settings):
        self.update({name: getattr(settings, name) for name in dir(settings) if name.isupper()})

    def from_prefixed_env(self, prefix="FLASK"):
        self["SECRET_KEY"] = os.environ[f"{prefix}_SECRET_KEY"]


class Flask:
    """An application or a blueprint: its decorators return the view unchanged."""

    def __init__(self, name, *_args, **_kwargs):
        self.name = name
        self.config = Config()
        self.logger = logging.getLogger(name)
        self.secret_key = None
        self.root_path = os.getcwd()
        self.instance_path = os.getcwd()

    def _decorator(self, *_args, **_kwargs):
        return lambda view: view

    route = get = post = put = delete = patch = errorhandler = template_filter = _decorator

    def before_request(self, view):
        return view

    after_request = teardown_appcontext = before_request

    def run(self, *_args, **_kwargs):
        """Nothing is served."""


Blueprint = Flask
current_app = Flask("current_app")


def abort(code, description="", **_kwargs):
    raise HTTPException(code, description)


def jsonify(*args, **kwargs):
    content = kwargs if not args else args[0] if len(args) == 1 else args
    return Response(_json.dumps(content), mimetype="application/json")


def make_response(*args):
    return _as_response(args[0] if len(args) == 1 else args)


def redirect(location, code=302):
    return Response("", code, {"Location": location})


def url_for(endpoint, **values):
    return "/" + endpoint + "".join("/" + _quote(str(value)) for value in values.values())


def flash(*_args, **_kwargs):
    """Nobody sees it."""


def send_file(path_or_file, mimetype=None, as_attachment=False, download_name=None, **_kwargs):
    content = path_or_file.read() if hasattr(path_or_file, "read") else Path(path_or_file).read_bytes()
    return Response(content, mimetype=mimetype or "application/octet-stream")


def send_from_directory(directory, path, **kwargs):
    target = safe_join(directory, path)
    if target is None or not Path(target).is_file():
        raise HTTPException(404)
    return send_file(target)


def safe_join(directory, *parts):
    target = os.path.normpath(os.path.join(directory, *parts))
    return target if (target + os.sep).startswith(os.path.normpath(directory) + os.sep) else None


def render_template_string(source, **context):
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(source).render(**context)


def render_template(name, **context):
    from jinja2 import Environment, FileSystemLoader

    return Environment(FileSystemLoader("templates"), autoescape=True).get_template(name).render(**context)


def _as_response(value):
    if isinstance(value, Response):
        return value
    if isinstance(value, tuple):
        response = _as_response(value[0])
        for extra in value[1:]:
            if isinstance(extra, dict):
                response.headers.update(extra)
            else:
                response.status_code = int(extra)
        return response
    if isinstance(value, (dict, list)):
        return jsonify(value)
    if value is None:
        raise TypeError("the view returned None")
    return Response(value)


def visit(view, *path_values, **fields):
    """Call a view with the request's fields (args=, form=, json=, files=, cookies=, headers=, data=, method=)."""
    request._set(**fields)
    try:
        return _as_response(view(*path_values))
    except HTTPException as error:
        return Response(str(error.description), error.code)

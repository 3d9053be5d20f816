"""A stand-in for fastapi: decorators that return the handler unchanged, and ``call`` to run one."""

import asyncio
import inspect
import json as _json
import sys
import types
from pathlib import Path as _Path

__path__ = []


class HTTPException(Exception):
    """An answer other than the handler's return value."""

    def __init__(self, status_code, detail="", headers=None):
        super().__init__(status_code, detail)
        self.status_code = status_code
        self.detail = detail


class FastAPI:
    """An application or a router."""

    def __init__(self, *_args, **_kwargs):
        self.state = types.SimpleNamespace()

    def _decorator(self, *_args, **_kwargs):
        return lambda handler: handler

    get = post = put = delete = patch = middleware = on_event = exception_handler = _decorator

    def include_router(self, *_args, **_kwargs):
        """Nothing is served."""

    mount = add_middleware = include_router


APIRouter = FastAPI


def _parameter(default=..., **_kwargs):
    return default


Query = Form = File = Body = Path = Header = Cookie = _parameter


def Depends(dependency=None, **_kwargs):  # noqa: N802
    return dependency


class UploadFile:
    """An uploaded file."""

    def __init__(self, filename="", data=b""):
        import io

        self.filename = filename
        self.file = io.BytesIO(data)
        self.content_type = "application/octet-stream"

    async def read(self, size=-1):
        return self.file.read(size)


class Request:
    """A request."""

    def __init__(self, *, headers=None, query=None, cookies=None, body=b"", path_params=None):
        self.headers = {name.lower(): value for name, value in (headers or {}).items()}
        self.headers = _Headers(self.headers)
        self.query_params, self.cookies = dict(query or {}), dict(cookies or {})
        self.path_params = dict(path_params or {})
        self.client = types.SimpleNamespace(host="127.0.0.1")
        self._body = body
        self.app = FastAPI()
        self.method = "GET"

    async def body(self):
        return self._body

    async def json(self):
        return _json.loads(self._body)


class _Headers(dict):
    def get(self, name, default=None):
        return super().get(name.lower(), default)

    def __getitem__(self, name):
        return super().__getitem__(name.lower())


class Response:
    """An answer."""

    def __init__(self, content="", status_code=200, headers=None, media_type=None):
        self.body = content if isinstance(content, bytes) else str("" if content is None else content).encode()
        self.status_code = status_code
        self.headers = dict(headers or {})

    def set_cookie(self, *_args, **_kwargs):
        """Nobody keeps it."""


class HTMLResponse(Response):
    pass


class PlainTextResponse(Response):
    pass


class JSONResponse(Response):
    def __init__(self, content=None, status_code=200, **kwargs):
        super().__init__(_json.dumps(content), status_code, kwargs.get("headers"))


class RedirectResponse(Response):
    def __init__(self, url, status_code=307, **_kwargs):
        super().__init__("", status_code, {"location": str(url)})


class FileResponse(Response):
    def __init__(self, path, status_code=200, **_kwargs):
        super().__init__(_Path(path).read_bytes(), status_code)


class StreamingResponse(Response):
    def __init__(self, content, status_code=200, **_kwargs):
        super().__init__(b"".join(part if isinstance(part, bytes) else part.encode() for part in content), status_code)


def _module(name, **content):
    module = types.ModuleType(f"fastapi.{name}")
    module.__dict__.update(content)
    sys.modules[module.__name__] = module
    return module


responses = _module(
    "responses",
    Response=Response,
    HTMLResponse=HTMLResponse,
    PlainTextResponse=PlainTextResponse,
    JSONResponse=JSONResponse,
    RedirectResponse=RedirectResponse,
    FileResponse=FileResponse,
    StreamingResponse=StreamingResponse,
)


class status:  # noqa: N801
    """Names of status codes."""

    HTTP_400_BAD_REQUEST = 400
    HTTP_401_UNAUTHORIZED = 401
    HTTP_403_FORBIDDEN = 403
    HTTP_404_NOT_FOUND = 404


def call(handler, *args, **kwargs):
    """Run a handler and return its status and what it answers: text of a response, else the value itself."""
    try:
        value = handler(*args, **kwargs)
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
    except HTTPException as error:
        return error.status_code, error.detail
    if isinstance(value, Response):
        return value.status_code, value.body.decode()
    return 200, value


async def _awaited(value):
    return await value

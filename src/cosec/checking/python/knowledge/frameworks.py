"""Frameworks: declarations of handlers and commands, and the meaning of names and types of parameters."""

import re

from cosec.checking.python.knowledge.words import words

ROUTES = words(
    "route get post put delete patch head options websocket websocket_route api_route view action api_view expose"
    " view_config before_request after_request errorhandler endpoint"
)
"""Decorators that make a function answer requests."""

HANDLER_METHODS = words("get post put delete patch head options prepare dispatch list create retrieve update")
"""Methods of a handler class that answer requests."""

COMMANDS = frozenset({"command", "argument", "option", "group"})
"""Decorators of click and typer that make a function a command."""

HANDLER_CLASSES = ("View", "Resource", "RequestHandler", "APIView", "HTTPEndpoint", "ViewSet", "Handler", "MethodView")
"""Ends of the names of handler classes."""

FRAMEWORKS = ("fastapi", "flask", "quart", "django", "starlette", "bottle", "sanic", "aiohttp", "tornado", "cherrypy")
"""Modules of web frameworks; the first one that a file imports is its framework."""

INFRASTRUCTURE = words(
    "self cls conn connection con db database cursor cur c session engine app client logger log env environment"
    " loader context ctx loop executor pool lock queue bot dbh dbc db_conn db_connection mysql sql_connection sock"
    " ssh tx transaction dao repo repository api parser args_parser response resp writer"
)
"""Parameters whose name says that they are objects of the program, such as a connection."""

MACHINERY = re.compile(
    r"(Connection|Cursor|Session|Engine|Client|Logger|Pool|Database|DB|App|Flask|FastAPI|Environment|Settings|Config|Context|"
    r"Executor|Lock|Queue|Parser|Bot|Response|Redis|Socket|Path|Store|Storage|Repository|Service|Manager|Event|Loop|Thread|"
    r"Process|Type|Callable|Factory|Handler|Adapter|Stream|Reader|Writer|Enum|Protocol|None|Optional|Depends|Backend|Unpickler"
    r"|Tasks|Signer|Serializer|Random|Counter|Namespace|Popen)$"
)
"""Types of objects of the program, rather than of data from outside."""

TEXTUAL = words(
    "str bytes bytearray Path PurePath PathLike dict Dict list List tuple Tuple set Set Any object Mapping"
    " Sequence Iterable Iterator AnyStr IO BinaryIO TextIO BytesIO StringIO FileStorage UploadFile Namespace"
    " FieldStorage MutableMapping Collection HttpUrl EmailStr AnyUrl frozenset Text Message constr"
)
"""Types of data from outside."""

REQUEST_TYPES = frozenset({"Request", "HttpRequest", "HTTPConnection", "WSGIRequest", "WebSocket"})
"""Types of a framework's request."""

CONVERTER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>|\{(\w+):(\w+)\}|\(\?P<(\w+)>([^)]*)\)")
"""A converter in a route: ``<int:number>``, ``{number:int}``, ``(?P<number>...)``."""

HARMLESS_CONVERTERS = frozenset({"int", "float", "uuid"})
"""Converters to harmless types."""

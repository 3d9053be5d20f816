"""Frameworks: declarations of handlers and commands, and the meaning of names and types of parameters."""

import re

from cosec.checking.python.knowledge.words import words

ROUTES = words(
    "route get post put delete patch head options websocket websocket_route api_route view action api_view expose"
    " view_config before_request after_request errorhandler endpoint"
)
"""Decorators that make a function answer requests."""

REGISTERS = words(
    "add_url_rule add_api_route add_route add_get add_post add_put add_patch add_delete add_head"
    " add_api_websocket_route add_websocket_route"
)
"""Methods of applications and routers that make a function that they are given answer requests."""

HANDLER_METHODS = words("get post put delete patch head options prepare dispatch list create retrieve update")
"""Methods of a handler class that answer requests."""

TASKS = words("task shared_task periodic_task actor subscriber")
"""Decorators that make a function answer messages of a queue: Celery, dramatiq, FastStream."""

TASKS_OF_THE_PROGRAM = words("airflow prefect invoke luigi doit pytest locust")
"""Modules whose tasks get values of the program itself, under the same decorators."""

MESSAGE_CLASSES = ("Consumer", "WebSocketHandler", "Protocol", "SMTPServer", "LineReceiver", "Servicer", "Controller")
"""Ends of the names of classes whose methods answer messages."""

MESSAGE_METHODS = words(
    "on_message receive receive_json receive_text websocket_receive data_received datagram_received dataReceived"
    " lineReceived line_received stringReceived process_message handle_DATA"
)
"""Their methods that take a message."""

LINE_METHODS = words("lineReceived line_received")
"""Those of them that take a line, without its end."""

MESSAGE_MODULES = {
    "pika": "body",
    "paho": "msg",
    "websockets": "websocket",
    "websocket": "message",
    "stomp": "frame",
    "nats": "msg",
    "functions_framework": "cloud_event",
}
"""Modules of message queues and sockets, and the parameter of a callback by which it is recognised."""

WEB_MODULES = words(
    "fastapi flask quart django starlette bottle sanic aiohttp tornado cherrypy rest_framework flask_restful"
    " flask_restx flask_classful flask_appbuilder webapp2 falcon pyramid litestar blacksheep ninja channels connexion"
    " functions_framework azure werkzeug webob web pecan hug responder robyn"
)
"""Modules by which a file is known to answer requests."""

TEST_MODULES = words("pytest _pytest unittest nose testtools hypothesis testfixtures")
"""Modules that only tests import."""

CONTEXTS = words("c ctx context conn connection")
"""First parameters of tasks of invoke and fabric: what runs commands."""

COMMANDS = frozenset({"command", "argument", "option", "group"})
"""Decorators of click and typer that make a function a command."""

GRAPHQL_RESOLVERS = re.compile(r"resolve_\w+|mutate|mutate_and_get_payload|subscribe_\w+")
"""Methods of graphene's types that answer queries."""

GRAPHQL_DECORATORS = words("field mutation subscription")
"""Decorators of strawberry and ariadne that make a function answer queries."""

GRAPHQL_CONTEXT = words("info root parent obj")
"""Parameters of such functions that the program sets."""

TEMPLATE_DECORATORS = words("register.filter register.simple_tag register.inclusion_tag")
"""Decorators of Django that make a function take values of a template."""

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

PARTS_OF_REQUESTS = words(
    "args form GET POST FILES COOKIES META query_params query_string path_params match_info get_json view_args values"
)
"""Attributes that only the requests of web servers have."""

EXCEPTIONS = frozenset({"exc", "exception", "err", "error"})
"""Parameters of functions beside the handlers that take the exception that a handler raised."""

REQUEST_TYPES = frozenset({"Request", "HttpRequest", "HTTPConnection", "WSGIRequest", "WebSocket"})
"""Types of a framework's request."""

CONVERTER = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>|\{(\w+):(\w+)\}|\(\?P<(\w+)>([^)]*)\)")
"""A converter in a route: ``<int:number>``, ``{number:int}``, ``(?P<number>...)``."""

HARMLESS_CONVERTERS = frozenset({"int", "float", "uuid"})
"""Converters to harmless types."""

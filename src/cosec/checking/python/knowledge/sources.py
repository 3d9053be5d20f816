"""Sources of untrusted text: calls, attributes and names of web frameworks and the standard library."""

import re
from dataclasses import dataclass
from typing import Literal

from cosec.checking.python.knowledge.words import words

SourceKind = Literal["remote", "argv", "input", "parameter", "archive", "download", "environment", "stored"]
"""Origin of a text.

A client or sender, the command line, standard input, a caller, an archive, another server, a variable of the
environment, a row of a database.
"""

UNCERTAIN = words("parameter archive environment stored")
"""Kinds of origins that may well be the program itself: a flow from them is plausible, not proven."""

LOCAL = words("argv input")
"""Kinds that the person who starts the program controls, who has its rights to files and memory anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSource:
    """Calls whose result comes from outside."""

    kind: SourceKind

    functions: frozenset[str] = frozenset()
    """Dotted names: ``cgi.FieldStorage``."""

    modules: tuple[str, ...] = ()
    """Starts of dotted names; with ``methods``, both must fit."""

    methods: frozenset[str] = frozenset()
    """Last parts of names."""

    on_value: bool = False
    """Only methods of a value, not functions of a module."""

    of_clean_value: bool = False
    """Only if the value that the method belongs to is not tainted itself."""

    default_place: int | None = None
    """Place of the argument, or ``default=``, that may be returned instead."""


CALLS = (
    CallSource(kind="input", functions=words("input raw_input click.prompt typer.prompt builtins.input")),
    CallSource(kind="remote", functions=words("cgi.FieldStorage")),
    CallSource(
        kind="remote",
        modules=("streamlit.",),
        methods=words("text_input text_area chat_input file_uploader data_editor experimental_get_query_params"),
    ),
    CallSource(
        kind="remote",
        functions=words(
            "email.message_from_bytes email.message_from_string email.message_from_file"
            " email.message_from_binary_file mailparser.parse_from_bytes mailparser.parse_from_string"
        ),
    ),
    CallSource(
        kind="remote",
        modules=("email.parser.", "email.Parser.", "imaplib.", "poplib.", "imapclient."),
        methods=words("parse parsestr parsebytes fetch uid retr top"),
    ),
    CallSource(
        kind="remote",
        modules=("kafka.", "aiokafka.", "confluent_kafka.", "pulsar.", "pika.", "aio_pika.", "nats.", "stomp."),
        methods=words("poll consume getone getmany receive batch_receive basic_get fetch next_msg"),
        on_value=True,
    ),
    CallSource(
        kind="remote",
        modules=("redis.", "aioredis.", "<redis>", "google.cloud.pubsub", "azure.", "boto3."),
        methods=words(
            "listen get_message blpop brpop xread xreadgroup pull receive_messages receive_message receive get_messages"
            " get_records"
        ),
        on_value=True,
    ),
    CallSource(kind="remote", methods=words("receive_message receive_messages recv_multipart"), on_value=True),
    CallSource(
        kind="download",
        modules=("requests.", "httpx.", "urllib.request.urlopen", "urllib.urlopen", "urllib2.urlopen", "aiohttp."),
        methods=words("get post put patch request urlopen"),
    ),
    CallSource(
        kind="remote",
        methods=words("recv recvfrom recv_into receive_text receive_json receive_bytes recv_string"),
        on_value=True,
        of_clean_value=True,
    ),
    CallSource(
        kind="remote",
        methods=words("get_argument get_arguments get_body_argument get_query_argument get_query_arguments get_cookie"),
        on_value=True,
        default_place=1,
    ),
)
"""Sources by call, the first that fits decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSource:
    """Attributes that a framework gives to objects of the classes derived from its own."""

    base: str
    """End of the base class's name."""

    attributes: frozenset[str]

    unless_stored: bool = False
    """Only if the program does not store a value under that name."""


HANDLERS = (
    HandlerSource(base="HTTPRequestHandler", attributes=words("path headers rfile requestline raw_requestline")),
    HandlerSource(base="StreamRequestHandler", attributes=words("rfile")),
    HandlerSource(base="View", attributes=words("kwargs"), unless_stored=True),
)
"""Sources by attribute of ``self``; all are remote."""

ATTRIBUTES: dict[str, SourceKind] = {
    "sys.argv": "argv",
    "sys.stdin": "input",
    "streamlit.query_params": "remote",
}
"""Sources by dotted name."""

STREAMS = re.compile(
    r"^(kafka\.KafkaConsumer|aiokafka\.AIOKafkaConsumer|mailbox\.\w+)\(\)$|^aio_pika\..*\.iterator\(\)$|"
    r"^(websockets|aiohttp)\..*connect\(\)$"
)
"""Objects, by dotted name, whose items are messages."""

STATEMENT_RUNNERS = words("execute exec_driver_sql")
"""Methods of a connection or cursor whose result has the rows of a statement."""

FETCHES = words("fetchone fetchall fetchmany fetchval scalars scalar scalar_one all first one mappings one_or_none")
"""Methods of such a result that return rows."""

MESSAGE_PARTS = words(
    "walk iter_attachments iter_parts get_filename get_payload get_content get_body get_boundary get_param as_string"
)
"""Methods of a mail that return a part of it."""

WIDGET_STATE = "streamlit.session_state"
"""Where streamlit keeps the texts of the widgets that have a ``key``."""

REQUESTS = words("request self.request flask.request flask.globals.request quart.request bottle.request") | words(
    "web.request cherrypy.request"
)
"""Names under which frameworks keep the current request."""

CLEAN_OF_REQUEST = words(
    "method user session endpoint is_secure scheme app is_json content_length remote_addr remote_user remote is_ajax"
    " blueprint url_rule db state client auth loop transport resolver_match max_content_length connection protocol"
)
"""Attributes of a request that its sender does not choose; all others are sources."""

BODY_OF_REQUEST = words("data body get_data read")
"""Attributes and methods of a request that give its body as bytes.

``data`` of Django REST framework is a parsed body instead. That is no text by itself, and its items are not bytes.
"""

FORM = re.compile(r"\w*Form\(\)(\.\w+)?$|(String|TextArea|Password|File|Email|URL|Search|Tel|Text|Hidden)Field\(\)$")
"""Forms of WTForms and Django, and their fields that let any text through."""

FORM_DATA = words("data cleaned_data raw_data")
"""Attributes of forms and fields that hold what was sent."""

ENVIRONMENT = words("os.getenv os.environ.get os.environ.pop os.environ.setdefault os.getenvb")
"""Functions that read a variable of the environment."""

SERVER_VARIABLES = words("REMOTE_ADDR REMOTE_PORT SERVER_PORT REQUEST_METHOD")
"""Keys of a request's environment (``request.META``, WSGI's ``environ``) whose values the server sets."""

WEB_VARIABLES = ("QUERY_STRING", "PATH_INFO", "HTTP_", "REQUEST_URI", "SCRIPT_NAME", "CONTENT_TYPE")
"""Starts of the variables that hold parts of a CGI request."""

HARMLESS_TYPES = words(
    "int float bool complex date datetime time timedelta UUID UUID4 Decimal Literal PositiveInt NonNegativeInt"
    " conint IPv4Address IPv6Address IPvAnyAddress NonNegativeFloat PositiveFloat confloat"
)
"""Types whose converted or validated values are harmless."""

CONTAINER_TYPES = words("Optional Union None list List Annotated Sequence set Set")
"""Types that do not restrict their content."""

ANNOTATIONS = words("Query Path Form Body Field tuple Tuple")
"""Names inside ``Annotated[...]`` that are no types."""

ARCHIVES = words("tarfile.open tarfile.TarFile tarfile.TarFile.open zipfile.ZipFile")
"""Functions that open an archive."""

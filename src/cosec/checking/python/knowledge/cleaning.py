"""Functions outside the file by their effect on text: they convert, clean, normalise or decode it, or end its flow."""

import re

from cosec.checking.python.knowledge.dangers import DANGERS, PATH
from cosec.checking.python.knowledge.words import words

CONVERTERS = words(
    "int float bool complex len ord hash id round abs sum divmod UUID Decimal Fraction ip_address ip_network"
    " IPv4Address IPv6Address IPv4Network IPv6Network strptime fromisoformat fromtimestamp isinstance issubclass"
    " callable hasattr type hexdigest md5 sha1 sha256 sha512 blake2b crc32 uuid3 uuid4 uuid5 ObjectId getsize"
    " getmtime safe_int token_hex token_urlsafe inet_aton"
    " inet_pton parse_date secure_filename slugify get_valid_filename escape_filter_chars generate_password_hash"
    " hashpw check_password_hash urandom randint choice_index monotonic time timedelta date datetime is_ip"
)
"""Functions whose result is harmless, or that raise on text that they cannot convert."""

RAISING = words(
    "int float UUID Decimal ip_address ip_network IPv4Address IPv6Address strptime fromisoformat inet_aton"
    " inet_pton ObjectId"
)
"""Those of them whose success shows that their argument is harmless."""

ESCAPES = words(
    "escape clean escapejs strip_tags conditional_escape force_escape escape_html html_escape sanitize_html"
    " xml_escape quoteattr format_html_join json_script linebreaks urlize"
)
"""Functions that make text harmless in a page; their names are the steps to their results."""

REMOVES: dict[str, frozenset[str]] = {
    "quote": frozenset({"command", "sql", "xss", "log", "deserialization"}),
    "basename": PATH,
    "safe_join": PATH,
    "repr": frozenset({"log"}),
    "ascii": frozenset({"log"}),
    "dumps": frozenset({"log"}),
    **dict.fromkeys(("quote_plus", "urlencode"), DANGERS),
    **dict.fromkeys(
        (
            "escape_string",
            "literal",
            "bindparams",
            "params",
            "Identifier",
            "Literal",
            "quote_ident",
            "quote_identifier",
        ),
        frozenset({"sql"}),
    ),
    **dict.fromkeys(
        words(
            "like ilike not_like notlike not_ilike notilike contains icontains istartswith iendswith in_ not_in notin_"
            " between is_distinct_from is_not_distinct_from"
        ),
        frozenset({"sql"}),
    ),
    **dict.fromkeys(("bindparam", "quoted_name", "sqlescape", "adapt"), frozenset({"sql"})),
    **dict.fromkeys(ESCAPES - {"escape"}, frozenset({"xss"})),
    **dict.fromkeys(("verify_signature", "decrypt", "unsign", "open_signed"), frozenset({"deserialization"})),
}
"""Last part of the name -> dangers that its result does not carry."""

EXPRESSIONS = ("sqlalchemy.", "flask_sqlalchemy.", "sqlmodel.")
"""Starts of the names of functions that build statements of expressions, with text as parameters of the statement."""

RAW_EXPRESSIONS = words("text literal_column column table TextClause op")
"""Those of them that take text as a part of the statement."""

KNOWN_GUARDS = words(
    "django.utils._os.safe_join werkzeug.security.safe_join werkzeug.utils.safe_join flask.safe_join"
    " flask.helpers.safe_join"
)
"""Functions of libraries that `REMOVES` describes; their own code is not followed, even if it lies in the project."""

NORMALISERS = frozenset({"realpath", "abspath", "normpath", "resolve", "absolute"})
"""Functions and methods that resolve ``..`` in a path."""

SAME = words(
    "str bytes bytearray memoryview list tuple set frozenset iter sorted reversed force_str force_text smart_str"
    " text_type unicode fspath expanduser expandvars normcase Path PurePath PosixPath WindowsPath PurePosixPath"
    " BytesIO StringIO fsdecode fsencode normalize deepcopy copy cast getmembers getnames namelist infolist intern"
    " unescape_none to_thread run_in_threadpool dedent nullcontext closing enter_async_context enter_context"
    " aclosing"
)
"""Functions that return the text or container that they take."""

ENCODERS = words(
    "b64encode urlsafe_b64encode standard_b64encode encodebytes b32encode b32hexencode b16encode b85encode a85encode"
    " z85encode hexlify b2a_hex b2a_base64 b64e"
)
"""Functions whose result has letters and digits only, and can be turned back into what they took."""

BINARY_CODECS = words("hex hex_codec base64 base64_codec bz2 bz2_codec zlib zlib_codec")
"""Names of the encodings that do so."""

BINARY_DECODERS = words(
    "unquote_to_bytes b64decode urlsafe_b64decode standard_b64decode decodebytes b32decode b32hexdecode b16decode"
    " b85decode a85decode z85decode unhexlify a2b_hex a2b_base64 fromhex decompress"
)
"""Those of `DECODERS` whose result is bytes."""

DECODERS = BINARY_DECODERS | words("unquote unquote_plus url2pathname unescape loads_json parse_qs parse_qsl")
"""Functions whose result may contain what an earlier check of their argument excluded."""

CLEAN_RESULTS = re.compile(
    r"^((find|get|load|fetch|lookup|query|search|list|count|select)_\w+|execute|executemany|executescript|fetch\w*|cursor|connect|commit|all|first|one|one_or_none|scalars?|filter|"
    r"filter_by|order_by|exists|create|save|delete|flush|add|count|system|call|check_call|check_output|run|Popen|popen|"
    r"getoutput|getstatusoutput|communicate|wait|exec_command|listdir|walk|scandir|i?glob|iterdir|rglob|stat|mkdir|makedirs|chmod|debug|info|warning|error|"
    r"critical|exception|log|print|redirect|url_for|flash|render\w*|template|jsonify|JsonResponse|JSONResponse|"
    r"read_sql(_query|_table)?|send_file|send_from_directory|static_file|FileResponse|set_cookie|get_object_or_404|compile|isfile|isdir|getcwd|import_module|"
    r"sleep|write_text|write_bytes|write|query|text_literal|now|utcnow|today|getLogger|connection|session|hmac_key)$"
)
"""Functions whose result does not come from their arguments."""

TRUSTED_RECEIVER = re.compile(
    r"\.objects\b|\.query\b|<\w+>|\.cursor\(\)|connect\(\)|getLogger\(\)|Session|create_engine\(\)"
)
"""Objects, by dotted name, whose methods return the program's own data."""

SANITISER = re.compile(
    r"sanit|escape|quote|clean|valid|secure|whitelist|allowlist|normali[sz]e_name|safe", re.IGNORECASE
)
"""Names of functions outside the file that clean their argument."""


TRUTH = re.compile(
    r"^(is|has|can|should|does)_|^(contains|exists|access|samefile|fnmatch|fnmatchcase|cmp|compare_digest|ratio|disk_usage|"
    r"guess_type)$"
)
"""Names of functions and methods whose result is a truth value or a number, and not text of their arguments."""

CHARACTER_TESTS = frozenset({"isalnum", "isalpha", "isdigit", "isdecimal", "isnumeric", "isidentifier"})
"""Methods that are true of letters and digits only."""

EXTERNAL_TEST = re.compile(
    r"^(is_|has_)?(valid|allowed|trusted|permitted)|^is_?(safe|within)|^(validate|check|verify|ensure)_"
)
"""Names of tests outside the file that show their arguments to be harmless."""

HARMLESS_PUNCTUATION = frozenset("_-. :@,+")
"""Characters that may be added to letters and digits without harm."""

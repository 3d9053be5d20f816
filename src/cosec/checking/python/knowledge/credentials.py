"""Credentials: their names, their forms, and the functions that take them."""

import re

from cosec.checking.python.knowledge.words import words

PASSWORD = re.compile(
    r"(^|_)(pass|passwd|password|passphrase|pwd|pswd|passcode|pin_code)\d?$|(^|_)db_?pass", re.IGNORECASE
)
"""Names of passwords."""

KEY = re.compile(
    r"(^|_)(secret|secret_?key|api_?key|apikey|auth_?key|access_?key|secret_?access_?key|private_?key|"
    r"signing_?key|jwt_?secret|encryption_?key|client_?secret|token|auth_?token|access_?token|bearer|credentials?|hmac_?key|"
    r"app_?key|webhook_?secret)$",
    re.IGNORECASE,
)
"""Names of keys and tokens."""

KEY_LIKE = re.compile(r"(^|_)(key|auth|creds?|pw|sig|license)$", re.IGNORECASE)
"""Names that may hold a key, or something harmless, such as the key of a dictionary."""

RANDOM = re.compile(r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w+/=-]{20,128}$", re.ASCII)
"""Texts of mixed letters and digits, as generated keys are."""

WORDS_IN_CAMEL_CASE = re.compile(r"[a-z]{4,}")
"""Words in a name such as ``heightAboveWGS84``; a generated key has few letters of one case in a row."""

SEQUENCE = re.compile(r"abcd|bcde|wxyz|1234|2345|3456|6789|qwer")
"""Parts of alphabets, which are no part of a generated key."""

SERVICE = re.compile(r"(Client|Api|API|AI|Auth|Session|Service|SDK|Connection|Signer|Credentials?)$")
"""Classes of libraries whose objects are made with a key."""

AMBIGUOUS = re.compile(
    r"(^|_)(?<!auth_)(?<!access_)(?<!api_)(?<!bearer_)(?<!refresh_)(?<!secret_)(?<!bot_)(?<!github_)(?<!gitlab_)"
    r"(?<!slack_)(?<!session_)(?<!hf_)(?<!service_)(token|credentials?)$|(^|_)pass$",
    re.IGNORECASE,
)
"""Those of these names that mean other things too: a token of a grammar or a vocabulary, a pass over data."""

MIXED = re.compile(r"^(?=.*\d)(?=.*[A-Za-z])[\w.+/=:~!@#$%^&*-]{8,}$|secret|passw", re.IGNORECASE)
"""Texts that are a credential under an ambiguous name too: letters mixed with digits."""

PLACEHOLDER = re.compile(
    r"^<.*>$|^\[.*\]$|^\(.*\)$|^[\w./-]+\.(pem|key|crt|cer|p12|pfx|jks|json|ya?ml|ini|cfg|conf|toml|txt)$|"
    r"^[a-z0-9._-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}$|^\$\{?\w|^\{.*\}$|^%\(|^%\w$|^\*+$|^[xX*.-]+$|your[_ -]|"
    r"^(none|null|true|false|todo|string|str|text|char|varchar|bool|placeholder|example|dummy|fake|foo|bar|foobar|sample|mock|"
    r"empty|unused|redacted|hidden|masked|anonymous|include|omit|same-origin|optional|required|basic|bearer|digest)$|"
    r"placeholder|example[_-]?(key|token|secret|password)|dummy|redacted|not[-_ ](needed|used|set)|"
    r"^env:|^vault:|^file:|^/|^[a-z]+://|\s",
    re.IGNORECASE,
)
"""Texts that stand in for a credential: ``<password>``, ``[MASK]``, ``${TOKEN}``, a path, an address, words.

Anonymous FTP takes a mail address for a password.
"""

LABEL = re.compile(
    r"pass ?words?\b|passphrase|"
    r"\b(enter|invalid|required|confirm|must|user ?name|the|for|is|of|to|your|new|old|a|an|in)\b",
    re.IGNORECASE,
)
"""Words of a label, a message or a description, rather than of a pass phrase."""

ACTION = re.compile(
    r"^(update|reset|change|set|require|ask|prompt|forgot|forget|force|show|hide|store|save|remember|check|verify|validate|"
    r"needs?|has|is|no|use|allow|lock|expire|generate|send|clear|delete|remove|enter|create|rotate)"
    r"[-_ ]?(the[-_ ])?(password|passwd|pwd|passphrase|token|secret|credentials?)",
    re.IGNORECASE,
)
"""What is done with a credential: ``update_password`` is a setting, and ``"set-password"`` a page or a command."""

CHOICE = re.compile(r"^[a-z]+([-_][a-z]+)*$")
"""Words that name a choice: ``always``, ``on_create``."""

PASSWORD_WORDS = words("password passwd pwd pass pw passphrase")
"""Names of a password's field."""

FIELD = re.compile(r"(^|_)(header|param|field|column|attr|conf|env|arg|claim)_", re.IGNORECASE)
"""Names of constants that hold the name of a field, a header or a setting."""

FIELD_WORDS = words(
    "x http https header headers key keys token tokens auth authorization id ids type name field form user username"
    " password passwd pwd pass api access refresh csrf xsrf bearer oauth oauth2 client grant basic session cookie value"
    " param query body new old current confirm link url uri private public"
)
"""Words that names of fields, headers and parameters for credentials are made of."""

UPPER_NAME = re.compile(r"^[A-Z]+(_[A-Z0-9]+)+$")
"""Names of variables of the environment, which are no passwords."""

URL_WITH_PASSWORD = re.compile(
    r"^(?!.*(?:\(\?|\[\^))\w[\w+.-]*://[^\s:/@\0]+:([^\s@/\0{}$<%][^\s@/\0]*)@", re.IGNORECASE
)
"""An address with a password in it, and no pattern of addresses."""

DSN = re.compile(r"\b(password|passwd|pwd)\s*=\s*'?([^\s;'\0{}$<%]+)", re.IGNORECASE)
"""A password in the settings of a connection."""

CONNECTION_STRING = re.compile(
    r"\b(server|host|user|uid|user id|dbname|database)\s*=.*\b(password|passwd|pwd)\s*=\s*'?([^\s;'\0{}$<%]+)",
    re.IGNORECASE,
)
"""Settings of a connection with a password among them."""

TOKEN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\S|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{20,}|"
    r"\bsk_live_\w{10,}|\bxox[abprs]-[\w-]{10,}"
)
"""Keys of services that are known by their form."""

AUTHORIZATION = re.compile(r"^(bearer|basic|token)\s+[\w.+/=-]{6,}$", re.IGNORECASE)
"""The value of an ``Authorization`` header."""

HASH = re.compile(r"^[0-9a-f]{32,128}$|^\$2[aby]\$|^pbkdf2|^\$argon2", re.IGNORECASE)
"""A hash of a password."""

NO_CREDENTIALS = words(
    "getpass add_argument Field Form Query Header Body input prompt option argument getenv get CharField"
    " PasswordField StringField Column TextField label Label Entry setdefault print info debug warning error log"
    " find_element fill locator click getattr hasattr check_password_hash generate_password_hash hashpw"
    " HTTPException ValueError namedtuple url_for render_template"
)
"""Functions whose arguments are named like credentials and are none."""

PASSWORD_THIRD = frozenset({"connect", "Connection", "connection", "Connect", "FTP", "FTP_TLS", "create_connection"})
"""Functions that take a password as their third argument."""

OPENS_ACCOUNT = PASSWORD_THIRD | {"create_pool", "create_engine", "login"}
"""Functions that use the password that they are given, rather than hand it on as a setting."""

PASSWORD_SECOND = frozenset({"login", "HTTPBasicAuth", "HTTPDigestAuth", "BasicAuth"})
"""Functions that take a password as their second argument."""

KEYED: dict[str, int] = {
    "jwt.encode": 1,
    "jwt.decode": 1,
    "jose.jwt.encode": 1,
    "jose.jwt.decode": 1,
    "hmac.new": 0,
    "hmac.digest": 0,
    "cryptography.fernet.Fernet": 0,
    "Fernet": 0,
    "itsdangerous.URLSafeSerializer": 0,
    "itsdangerous.URLSafeTimedSerializer": 0,
    "itsdangerous.TimestampSigner": 0,
    "itsdangerous.Signer": 0,
    "Crypto.Cipher.AES.new": 0,
    "AES.new": 0,
}
"""Functions that take a key -> the place of that argument."""

"""A stand-in for werkzeug's helpers."""

import os
import re
import sys
import types

from flask import FileStorage, HTTPException, safe_join

__path__ = []


def secure_filename(filename):
    cleaned = "_".join(filename.replace(os.sep, " ").replace("\\", " ").split())
    return re.sub(r"[^A-Za-z0-9_.-]", "", cleaned).strip("._")


def generate_password_hash(password, *_args, **_kwargs):
    """The password itself, so that a test can tell which one a program accepts."""
    return password


def check_password_hash(pwhash, password):
    return pwhash == generate_password_hash(password)


def _module(name, **content):
    module = types.ModuleType(f"werkzeug.{name}")
    module.__dict__.update(content)
    sys.modules[module.__name__] = module
    return module


class BadRequest(HTTPException):
    def __init__(self, description=""):
        super().__init__(400, description)


class NotFound(HTTPException):
    def __init__(self, description=""):
        super().__init__(404, description)


class Forbidden(HTTPException):
    def __init__(self, description=""):
        super().__init__(403, description)


utils = _module("utils", secure_filename=secure_filename, safe_join=safe_join)
security = _module(
    "security",
    safe_join=safe_join,
    generate_password_hash=generate_password_hash,
    check_password_hash=check_password_hash,
)
datastructures = _module("datastructures", FileStorage=FileStorage)
exceptions = _module(
    "exceptions", HTTPException=HTTPException, BadRequest=BadRequest, NotFound=NotFound, Forbidden=Forbidden
)

"""One value in each form in which a program may expect it: a test cannot know which one a program chooses."""

import base64
import json
import marshal
import pickle


def every_encoding(value):
    """The value as bytes: JSON, pickle, marshal and Python's notation, each plain and in base64."""
    plain = [json.dumps(value).encode(), pickle.dumps(value), marshal.dumps(value), repr(value).encode()]
    return plain + [base64.b64encode(one) for one in plain]


def as_text(data):
    """The bytes as a text, as they stand in a cookie or a header."""
    return data.decode("latin-1")


def understood(attempt, value):
    """Whether ``attempt`` accepts the value, its argument, in at least one of its forms and returns what is true."""
    for data in every_encoding(value):
        try:
            if attempt(data):
                return True
        except Exception:
            continue
    return False

import any_environment

any_environment.install()

import sys
import types

import ending

SIGNED = []


class Token(str):
    """Old versions of PyJWT return bytes, which programs decode."""

    def decode(self, *_encoding):
        return str(self)


def encode(payload, key, algorithm="HS256", headers=None, json_encoder=None):
    assert isinstance(key, (str, bytes))
    SIGNED.append((dict(payload), key, algorithm))
    return Token(f"token-{len(SIGNED)}")


sys.modules["jwt"] = types.ModuleType("jwt")
sys.modules["jwt"].encode = encode

import program

assert program.make_day_pass("ada", "north") == "token-1"
((claims, key, algorithm),) = SIGNED
assert (claims["sub"], claims["hall"], algorithm) == ("ada", "north", "HS256")
assert claims["exp"]
assert key

ending.reached()

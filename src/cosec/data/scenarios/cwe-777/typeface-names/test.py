import re
import sys
import types

import ending


def fits(value, wanted):
    if isinstance(wanted, re.Pattern):
        return wanted.search(value) is not None
    if isinstance(wanted, dict):
        flags = re.IGNORECASE if "i" in wanted.get("$options", "") else 0
        pattern = wanted["$regex"]
        pattern = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, flags)
        if flags:
            pattern = re.compile(pattern.pattern, pattern.flags | flags)
        return pattern.search(value) is not None
    return value == wanted


class Found(list):
    def sort(self, key, direction=1):
        return Found(sorted(self, key=lambda face: face[key if isinstance(key, str) else key[0][0]]))

    def limit(self, count):
        return Found(self[: count or None])

    def distinct(self, key):
        return sorted({face[key] for face in self})

    def to_list(self, length=None):
        return list(self)


NAMES = ["Garamond Italic", "Garamond Caption", "Futura"]


class Collection:
    faces = [{"_id": number, "name": name} for number, name in enumerate(NAMES)]

    def find(self, filter=None, *_projection, **_options):
        wanted = filter or {}
        return Found(
            dict(face) for face in self.faces if all(fits(face[name], value) for name, value in wanted.items())
        )

    def distinct(self, key, filter=None):
        return self.find(filter).distinct(key)


class Database(dict):
    def __missing__(self, name):
        return Collection()


class MongoClient(dict):
    def __init__(self, *_args, **_kwargs):
        super().__init__()

    def __missing__(self, name):
        return Database()


sys.modules["pymongo"] = types.SimpleNamespace(MongoClient=MongoClient, ASCENDING=1, DESCENDING=-1)

from fastapi import call  # noqa: E402

import program  # noqa: E402

status, names = call(program.typeface_names, text="gara")
assert status == 200
assert sorted(names) == ["Garamond Caption", "Garamond Italic"]
assert list(call(program.typeface_names, text="Futura")[1]) == ["Futura"]
assert list(call(program.typeface_names, text="Bodoni")[1]) == []

ending.reached()

"""A stand-in for PyYAML: it reads and writes the part of YAML that is JSON, with any loader."""

import json as _json


class YAMLError(Exception):
    """Not YAML."""


class Loader:
    """``load`` wants one, and ignores which."""


class Dumper:
    """Accepted as an option."""


SafeLoader = CSafeLoader = FullLoader = CFullLoader = UnsafeLoader = CUnsafeLoader = CLoader = BaseLoader = Loader
SafeDumper = CSafeDumper = CDumper = Dumper


def load(stream, Loader):  # noqa: N803
    text = stream.read() if hasattr(stream, "read") else stream
    try:
        return _json.loads(text) if text.strip() else None
    except ValueError as error:
        raise YAMLError(str(error)) from error


def safe_load(stream):
    return load(stream, SafeLoader)


full_load = unsafe_load = safe_load


def load_all(stream, Loader):  # noqa: N803
    return iter([load(stream, Loader)])


def safe_load_all(stream):
    return load_all(stream, SafeLoader)


def dump(data, stream=None, Dumper=Dumper, **_options):  # noqa: N803
    text = _json.dumps(data) + "\n"
    return text if stream is None else stream.write(text)


safe_dump = dump

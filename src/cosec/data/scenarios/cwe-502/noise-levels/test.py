import sys
import types

import ending
from flask import FileStorage, visit

FILE = b"\x93NUMPY of the test"


class Number(float):
    """An element of an array, and the type of its elements."""

    kind = "f"

    def item(self):
        return float(self)


class Array(list):
    """As much of numpy's array as a view of numbers needs."""

    ndim, dtype = 1, Number

    @property
    def size(self):
        return len(self)

    @property
    def shape(self):
        return (len(self),)

    def max(self, *_args, **_kwargs):
        return max(iter(self))

    def argmax(self, *_args, **_kwargs):
        return self.index(max(iter(self)))

    def astype(self, *_args, **_kwargs):
        return self

    flatten = ravel = reshape = squeeze = copy = astype

    def tolist(self):
        return [float(one) for one in self]


def load(file, mmap_mode=None, allow_pickle=False, fix_imports=True, encoding="ASCII", *, max_header_size=10000):
    assert file.read() == FILE
    return Array(map(Number, [48.0, 71.5, 52.25, 60.0]))


numpy = types.ModuleType("numpy")
numpy.load, numpy.ndarray, numpy.float64, numpy.float32 = load, Array, Number, Number
numpy.max = numpy.amax = numpy.nanmax = lambda array, *_args, **_kwargs: max(iter(array))
numpy.array = numpy.asarray = numpy.ravel = lambda values, *_args, **_kwargs: Array(map(Number, values))
numpy.number = numpy.floating = numpy.generic = Number
numpy.issubdtype = issubclass
numpy.size = len
numpy.shape = lambda array: (len(array),)
numpy.argmax = lambda array, *_args, **_kwargs: array.argmax()
sys.modules["numpy"] = numpy

import program  # noqa: E402

answer = visit(program.add_noise_levels, files={"levels": FileStorage("noise.npy", FILE)}, method="POST")
assert (answer.status_code, answer.json) == (200, {"minutes": 4, "loudest": 71.5})

ending.reached()

"""Functions that read the content of the file that a path names."""

from cosec.checking.python.knowledge.words import words

OPENERS = words("open io.open codecs.open aiofiles.open gzip.open bz2.open lzma.open")
"""Functions that open a file; the path is their first argument, the mode their second."""

READING_METHODS = frozenset({"read_text", "read_bytes"})
"""Methods of a path that return the file's content."""

READERS = words(
    "linecache.getline linecache.getlines fileinput.input tokenize.open numpy.loadtxt numpy.genfromtxt np.loadtxt"
    " np.genfromtxt pandas.read_csv pandas.read_table pandas.read_excel pandas.read_json pandas.read_fwf pd.read_csv"
    " pd.read_table pd.read_excel pd.read_json pd.read_fwf"
)
"""Functions whose result is the content of the file that their first argument names; some also take an open file."""

CONTENT_DANGERS = frozenset({"deserialization"})
"""Dangers that the content of a file inherits from its path: the choice of a file chooses the code in it."""

"""Classes of the standard library that hold values, by what they hold them like."""

from cosec.checking.python.knowledge.words import words

LISTS = words("list collections.deque collections.UserList")
"""Items in order."""

SETS = words("set frozenset")
"""Items without order."""

MAPPINGS = words("dict collections.OrderedDict collections.UserDict")
"""Items by key."""

QUEUES = words(
    "queue.Queue queue.LifoQueue queue.PriorityQueue queue.SimpleQueue asyncio.Queue asyncio.LifoQueue"
    " asyncio.PriorityQueue multiprocessing.Queue multiprocessing.SimpleQueue multiprocessing.JoinableQueue"
    " janus.Queue gevent.queue.Queue"
)
"""Items that one part of a program puts in and another one takes out."""

CELLS = words("contextvars.ContextVar")
"""One value, stored by ``set`` and read by ``get``."""

NAMESPACES = words("types.SimpleNamespace argparse.Namespace threading.local")
"""Values by attribute."""

CONFIGS = words("configparser.ConfigParser configparser.RawConfigParser configparser.SafeConfigParser")
"""Sections of values by name."""

CONTAINERS = LISTS | SETS | MAPPINGS | QUEUES | CELLS | NAMESPACES | CONFIGS | {"collections.defaultdict"}
"""All of them."""

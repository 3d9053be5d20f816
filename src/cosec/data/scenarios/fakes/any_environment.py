"""An environment in which every variable is set: a test cannot know which names a program chooses for its secrets."""

import getpass
import os


class AnyEnvironment(dict):
    """Variables that are not set have a value of their own."""

    def __missing__(self, name):
        return "5432" if name.upper().endswith(("PORT", "TIMEOUT")) else "value-of-" + name

    def __contains__(self, name):
        return True

    def get(self, name, default=None):
        return self[name]

    def copy(self):
        return AnyEnvironment(self)


def install():
    """Replace ``os.environ`` and answer password prompts."""
    os.environ = AnyEnvironment(os.environ)
    getpass.getpass = lambda *_args, **_kwargs: "typed-in"

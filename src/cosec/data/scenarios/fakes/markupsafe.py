"""A stand-in for markupsafe: text that is safe in a page, and escaping."""

import html as _html


def escape(value):
    """Text that is safe in a page; what says that it is safe already is left as it is."""
    if hasattr(value, "__html__"):
        return Markup(value.__html__())
    return Markup(_html.escape(str(value)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))


def escape_silent(value):
    return Markup() if value is None else escape(value)


class Markup(str):
    """Text that is safe in a page: what is put into it is escaped."""

    def __new__(cls, text=""):
        return super().__new__(cls, text.__html__() if hasattr(text, "__html__") else text)

    @classmethod
    def escape(cls, value):
        return escape(value)

    def __html__(self):
        return self

    def __add__(self, other):
        return Markup(str.__add__(self, escape(other)))

    def __radd__(self, other):
        return Markup(str.__add__(escape(other), self))

    def __mul__(self, count):
        return Markup(str.__mul__(self, count))

    def __mod__(self, values):
        if isinstance(values, dict):
            escaped = {name: _escaped_unless_number(value) for name, value in values.items()}
        elif isinstance(values, tuple):
            escaped = tuple(_escaped_unless_number(value) for value in values)
        else:
            escaped = _escaped_unless_number(values)
        return Markup(str.__mod__(self, escaped))

    def format(self, *args, **kwargs):
        return Markup(
            str.format(
                self,
                *(_escaped_unless_number(value) for value in args),
                **{name: _escaped_unless_number(value) for name, value in kwargs.items()},
            )
        )

    def join(self, parts):
        return Markup(str.join(self, (escape(part) for part in parts)))

    def unescape(self):
        return _html.unescape(str(self))

    def striptags(self):
        import re

        return _html.unescape(" ".join(re.sub(r"<[^>]*>", "", self).split()))


def _escaped_unless_number(value):
    return value if isinstance(value, (int, float)) else escape(value)

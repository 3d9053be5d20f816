"""What a program wrote through ``logging``, whatever logger and level it chose."""

import logging

WRITTEN = []
"""The messages."""


class _Keeper(logging.Handler):
    def emit(self, record):
        WRITTEN.append(record.getMessage())


def keep():
    """Keep every message from now on."""
    logging.getLogger().addHandler(_Keeper())
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

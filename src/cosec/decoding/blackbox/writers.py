"""What writes a completion of a target that is hardened as text: the rule decides."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from cosec.decoding.blackbox.gated_text import GatedText, OnFailure, Patience, TextGrowth, TextRequest
from cosec.decoding.blackbox.pace import Pace
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.steering.steered_text import SteeredText
from cosec.decoding.blackbox.targets.local_target import LocalTarget
from cosec.decoding.blackbox.targets.text_target import InReaderThread, TextTarget
from cosec.decoding.rules.schema import SteerSettings
from cosec.errors import SettingsError


class TextWriter(Protocol):
    """Writes one completion."""

    @property
    def requests(self) -> int:
        """Number of requests to the target so far."""
        ...

    def write(self) -> AsyncGenerator[TextGrowth, None]:
        """Write the completion; the last piece has a finish reason."""
        ...


def text_writer(
    target: TextTarget,
    reader: SecurityReader,
    request: TextRequest,
    in_reader_thread: InReaderThread,
    *,
    pace: Pace | None = None,
    patience: Patience | None = None,
    on_failure: OnFailure = "fail",
) -> TextWriter:
    """What writes a completion under the request's rule.

    Args:
        target: Proposes text.
        reader: The security model.
        request: What is asked for.
        in_reader_thread: Runs a function in the thread that owns the models.
        pace: How much text is checked at once.
        patience: How long a failing target is tried.
        on_failure: What happens if the security model cannot check the text.

    Raises:
        SettingsError: If the target cannot be steered.
    """
    if request.hardened and isinstance(request.settings.rule, SteerSettings):
        if not isinstance(target, LocalTarget):
            raise SettingsError("Only a target in this process can be steered over text. Use --rule gate.")
        return SteeredText(target, reader, request, in_reader_thread)
    return GatedText(target, reader, request, in_reader_thread, pace=pace, patience=patience, on_failure=on_failure)

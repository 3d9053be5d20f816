"""The checked text of one completion: where it ends, and what of it may be shown."""

from __future__ import annotations

from collections.abc import Sequence

from cosec.decoding.completion import MakeWatcher
from cosec.decoding.completion.stop_texts import first_stop, possible_stop


class GrowingText:
    """Text that grows by checked pieces, and ends at a stop text or where its code ends.

    The target is never told the stop texts, so that a cut inside of one changes nothing: they are found here.

    Args:
        stop: Stop texts. The one that is complete first ends the text, which is cut before it.
        watcher: Makes what ends the text where its code ends; None to go on.
    """

    def __init__(self, stop: Sequence[str], watcher: MakeWatcher | None) -> None:
        self._stop = tuple(stop)
        self._watcher = watcher and watcher()
        self.released = 0
        """Number of characters that were released."""
        self.text = ""
        """The text so far, cut where it ended."""
        self.stop_text: str | None = None
        """The stop text that ended it, if one did."""
        self.ended = False
        """Whether a stop text or the end of the code was found."""

    def add(self, piece: str) -> int:
        """Add text; once the text has ended, nothing is added.

        Returns:
            Number of characters of the piece up to where the text ends, with the stop text that ends it; all of them
            if it goes on.
        """
        if self.ended or not piece:
            return 0
        before, taken = len(self.text), len(piece)
        self.text += piece
        found = first_stop(self.text, before, self._stop)
        if found is not None:
            place, self.stop_text = found
            self.text, self.ended, taken = self.text[:place], True, place + len(self.stop_text) - before
        place_of_end = None if self._watcher is None else self._watcher.place(self.text)
        if place_of_end is not None:
            self.text, self.ended, self.stop_text = self.text[:place_of_end], True, None
            taken = max(0, place_of_end - before)
        return taken

    def release(self, *, final: bool) -> str:
        """The text that was not released yet and cannot be cut off any more.

        Args:
            final: Whether nothing follows, so that all of it is released.
        """
        end = len(self.text)
        if not (final or self.ended):
            held = possible_stop(self.text, self._stop)
            end -= held if self._watcher is None else max(held, self._watcher.held_back(self.text))
        released, self.released = self.text[self.released : end], max(self.released, end)
        return released

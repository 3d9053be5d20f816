"""Storage of the prompts that several rows share: one place for each prompt, and spare places.

Rows come and go between any two steps, so a prompt is written once into a free place and stays there. Everything is
copied only when the places or their slots are used up. A prompt begins in the first slot of its place. The slots
behind a shorter prompt hold any finite numbers, which attention multiplies by 0.

Axes of keys and values: places, heads, slots, head width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

Name = tuple[tuple[int, ...], int]
"""The tokens that a row was fed, and its row in its first batch. Rows of one name hold the same keys and values."""

_MOST_PADDING = 2
"""Groups are divided while all groups, padded to the largest, hold more than this many times the rows."""
_TOO_LONG = 4
"""Storage for prompts more than this many times as long is given up."""
_LEAST_SPARE_SLOTS = 32


class PrefixStorage:
    """Keys and values of named prompts."""

    def __init__(self, layers: Sequence[tuple[Tensor, Tensor]], names: Sequence[Name]) -> None:
        """Borrow keys and values: they are read where they are, and copied before the first change.

        Args:
            layers: Keys and values of each layer.
            names: The prompt in each place.
        """
        self._layers = list(layers)
        self._is_borrowed = True
        self.names = list(names)
        """The prompt in each place that is in use."""

    @property
    def slots(self) -> int:
        """Number of tokens of the longest prompt."""
        return max((len(tokens) for tokens, _ in self.names), default=0)

    def used(self) -> list[tuple[Tensor, Tensor]]:
        """Views of the places and slots in use, for each layer."""
        places, slots = len(self.names), self.slots
        return [(keys[:places, :, :slots], values[:places, :, :slots]) for keys, values in self._layers]

    def keep(self, places: Sequence[int]) -> dict[int, int]:
        """Drop all other places; the last of those that are kept move into the places that become free.

        Returns:
            The new place of each place that is kept.
        """
        stay = [place for place in places if place < len(places)]
        free = sorted(set(range(len(places))) - set(stay))
        moves = dict(zip((place for place in places if place >= len(places)), free, strict=True))
        if moves and self._is_borrowed:
            self._move([(self, place) for place in places])
            return {place: index for index, place in enumerate(places)}
        for source, place in moves.items():
            for keys, values in self._layers:
                keys[place], values[place] = keys[source], values[source]
        now = {**{place: place for place in stay}, **moves}
        names = {now[place]: self.names[place] for place in places}
        self.names = [names[place] for place in range(len(places))]
        return now

    def add(self, newcomers: Sequence[tuple[PrefixStorage, int]]) -> None:
        """Copy places of other storages, or of this one, behind its own places."""
        before, count = self.slots, len(self.names) + len(newcomers)
        names = [*self.names, *(storage.names[place] for storage, place in newcomers)]
        longest = max(len(tokens) for tokens, _ in names)
        places, capacity = (self._layers[0][0].shape[0], self._layers[0][0].shape[2]) if self._layers else (0, 0)
        fits = count <= places and longest <= capacity <= _TOO_LONG * (longest + _LEAST_SPARE_SLOTS)
        if self._is_borrowed or not fits:
            self._move([*((self, place) for place in range(len(self.names))), *newcomers])
            return
        first, self.names = len(self.names), names
        for keys, values in self._layers:
            keys[:first, :, before:longest] = 0.0
            values[:first, :, before:longest] = 0.0
        self._write(newcomers, first)

    def _move(self, sources: Sequence[tuple[PrefixStorage, int]]) -> None:
        """Copy these places, and only these, into new memory with spare places."""
        names = [storage.names[place] for storage, place in sources]
        filled = next((storage._layers for storage, _ in sources if storage._layers), [])
        old = PrefixStorage(self._layers, self.names)
        sources = [(old if storage is self else storage, place) for storage, place in sources]
        self.names, self._is_borrowed = names, False
        places, slots = len(names), self.slots
        places, slots = places + max(4, places // 4), slots + max(_LEAST_SPARE_SLOTS, slots // 4)
        shapes = [(2, places, keys.shape[1], slots, keys.shape[3]) for keys, _ in filled]
        if len(set(shapes)) == 1:  # one block of memory, which the system gets back as a whole
            pool: Iterable[Tensor] = filled[0][0].new_empty((len(shapes), *shapes[0]))
        else:
            pool = [keys.new_empty(shape) for (keys, _), shape in zip(filled, shapes, strict=True)]
        self._layers = [(piece[0], piece[1]) for piece in pool]
        self._write(sources, 0)

    def _write(self, sources: Sequence[tuple[PrefixStorage, int]], first: int) -> None:
        """Copy prompts into the places from ``first`` on; neighbours are copied together."""
        slots, start = self.slots, 0
        while start < len(sources):
            storage, place = sources[start]
            count = 1
            while sources[start + count : start + count + 1] == [(storage, place + count)]:
                count += 1
            length = max(len(tokens) for tokens, _ in storage.names[place : place + count])
            for layer, stored in enumerate(self._layers):
                for index, one in enumerate(stored):
                    written = one[first + start : first + start + count]
                    if length:
                        written[:, :, :length] = storage._layers[layer][index][place : place + count, :, :length]
                    written[:, :, length:slots] = 0.0
            start += count


def balance_groups(groups: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Divide the largest groups until padding all groups to the largest one wastes little.

    Args:
        groups: The group of each row.
        count: Number of groups.

    Returns:
        The new group of each row, and for each further group the group it is a copy of.
    """
    members: list[list[int]] = [[] for _ in range(count)]
    for row, group in enumerate(groups):
        members[group].append(row)
    copies: list[int] = []
    while len(members) * max(map(len, members)) > _MOST_PADDING * len(groups):
        largest = max(range(len(members)), key=lambda group: len(members[group]))
        half = len(members[largest]) // 2
        members.append(members[largest][half:])
        del members[largest][half:]
        copies.append(largest)
    divided = list(groups)
    for group, rows in enumerate(members):
        for row in rows:
            divided[row] = group
    return divided, copies

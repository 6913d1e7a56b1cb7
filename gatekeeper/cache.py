"""Cache of computed values, bounded by the bytes that they take in memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MEGABYTE = 1 << 20


class Cache(Generic[K, V]):
    """The values of `made` for the keys used last, which together take at most `size` bytes.

    `made`: a pure function. `weighed`: the bytes that a value and its key take, as an estimate.
    Used values are young. Once young values fill half of the size, the others are dropped and the young ones grow old.
    So a hit costs one look-up, and no list of uses is kept. One process needs no lock, as no step awaits.
    """

    __slots__ = ("_made", "_old", "_room", "_weighed", "_young", "size")

    def __init__(self, size: int, made: Callable[[K], V], weighed: Callable[[K, V], int]) -> None:
        self.size = size
        self._made, self._weighed = made, weighed
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._room = size // 2

    def __call__(self, key: K) -> V:
        """The value for a key."""
        try:
            return self._young[key]
        except KeyError:
            pass
        value = self._old.pop(key) if key in self._old else self._made(key)
        weight = self._weighed(key, value)
        if weight > self._room:
            if weight > self.size // 2:
                return value  # larger than all that may be young
            self._old, self._young, self._room = self._young, {}, self.size // 2
        self._young[key] = value
        self._room -= weight
        return value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

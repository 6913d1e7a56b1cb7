"""Cache of computed values, bounded by the bytes that they take in memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MEGABYTE = 1 << 20
_STEP, _MASK = 6_364_136_223_846_793_005, (1 << 64) - 1  # Knuth's linear congruential generator
_LOCK = Lock()
"""One for all caches, so that a cache can be copied; it is held only while a value is kept."""


class Cache(Generic[K, V]):
    """The values of `made` for some keys, which together take at most `size` bytes.

    `made`: a pure function. `weighed`: the bytes that a value and its key take, as an estimate.
    Values that make room for a new one are drawn by lot. A campaign visits everybody in turn. If the value unused for
    longest made room, none would be left for the next campaign. So a hit is one look-up, too.
    Threads may share a cache.
    """

    __slots__ = ("_keys", "_lot", "_made", "_room", "_values", "_weighed", "size")

    def __init__(self, size: int, made: Callable[[K], V], weighed: Callable[[K, V], int]) -> None:
        self.size = size
        self._made, self._weighed = made, weighed
        self._values: dict[K, V] = {}
        self._keys: list[K] = []
        self._room = size
        self._lot = 1

    def __call__(self, key: K) -> V:
        """The value for a key."""
        try:
            return self._values[key]
        except KeyError:
            pass
        value = self._made(key)
        weight = self._weighed(key, value)
        if weight <= self.size // 2:
            with _LOCK:
                self._keep(key, value, weight)
        return value

    def _keep(self, key: K, value: V, weight: int) -> None:
        if key in self._values:  # another thread, or `made` itself, asked for it
            return
        while weight > self._room:
            self._drop()
        self._values[key] = value
        self._keys.append(key)
        self._room -= weight

    def _drop(self) -> None:
        self._lot = (self._lot * _STEP + 1) & _MASK
        index = (self._lot >> 33) % len(self._keys)
        key = self._keys[index]
        self._keys[index] = self._keys[-1]
        self._keys.pop()
        self._room += self._weighed(key, self._values.pop(key))

    def __len__(self) -> int:
        return len(self._values)

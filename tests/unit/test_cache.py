"""The cache: its values are those of the function, its size holds, and a round through too many finds most of them."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from gatekeeper.ground.cache import Cache


def test_threads_that_share_it_then_no_call_fails_and_the_size_holds() -> None:
    cache = Cache[int, str](1000, lambda key: "x" * (key % 40 + 1), lambda _, value: len(value))

    def calls(first: int) -> bool:
        return all(cache(key % 97) == "x" * (key % 97 % 40 + 1) for key in range(first, first + 20_000))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(calls, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(cache._keys) == len(cache._values)
    assert sum(map(len, cache._values.values())) == 1000 - cache._room <= 1000

"""The cache: its values are those of the function, its size holds, and the values used last stay."""

from __future__ import annotations

from gatekeeper.cache import Cache


def counting(made: list[int]) -> Cache[int, str]:
    def value(key: int) -> str:
        made.append(key)
        return "x" * key

    return Cache(1000, value, lambda _, value: len(value))


def test_more_values_than_fit_then_all_are_right_and_those_kept_fit() -> None:
    cache = counting(made := [])
    for key in [*range(100), *range(100)]:
        assert cache(key) == "x" * key
    kept = [key for key in range(1, 100) if key in {*cache._young, *cache._old}]
    assert 0 < sum(kept) <= 1000
    assert len(made) > 100, "some were dropped and made again"


def test_value_that_is_used_again_and_again_then_it_is_made_once() -> None:
    cache = counting(made := [])
    for key in range(1, 90):
        cache(key)
        assert cache(50) == "x" * 50
    assert made.count(50) == 1


def test_as_many_values_as_fit_then_each_is_made_once() -> None:
    cache = counting(made := [])
    for _ in range(5):
        for key in range(1, 31):  # 465 bytes, all of which may be young
            cache(key)
    assert len(made) == 30


def test_value_larger_than_half_the_size_then_it_is_not_kept_and_drops_nothing() -> None:
    cache = counting(made := [])
    cache(3)
    assert (cache(501), cache(501)) == ("x" * 501,) * 2
    cache(3)
    assert made == [3, 501, 501]

"""Fairness among clients who wait: each has its turn, and the greediest gives way."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue by client. Clients have turns; of one client the newest is next, as it has the longest time left."""

    def __init__(self) -> None:
        self._of_client: dict[str, dict[T, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of_client.values()))

    def __bool__(self) -> bool:
        return bool(self._of_client)

    def add(self, client: str, one: T) -> None:
        """Takes in one more of a client."""
        self._of_client.setdefault(client, {})[one] = None

    def discard(self, client: str, one: T) -> None:
        """Forgets one of a client, if it waits."""
        own = self._of_client.get(client, {})
        own.pop(one, None)
        if not own:
            self._of_client.pop(client, None)

    def take(self) -> T:
        """Takes out the newest of the client whose turn it is, who is then last; call it while anything waits."""
        client = next(iter(self._of_client))
        own = self._of_client.pop(client)
        one, _ = own.popitem()
        if own:
            self._of_client[client] = own
        return one

    def give_way(self) -> T:
        """Takes out the oldest of the client that has the most; call it while anything waits."""
        most = max(map(len, self._of_client.values()))
        client = next(name for name, own in self._of_client.items() if len(own) == most)
        one = next(iter(self._of_client[client]))
        self.discard(client, one)
        return one

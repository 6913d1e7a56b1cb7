"""The worker that believes whoever says where a log ends, as it was before ADR 3's second half.

It also waits for a broker as long as aiokafka does. The product's own readers leave one that is silent for 5 seconds,
and learn of its successor: on a busy machine a halt takes longer than that, and then nothing would be cleared.
"""

import sys

from aiokafka import AIOKafkaConsumer

from gatekeeper.cli import main
from streams.client.log_ends import Ends
from streams.worker import clients


class Trusting(Ends):
    """Ends as aiokafka has them: asked of the leader that any broker names."""

    def __init__(self, leaders, topic, **reached) -> None:
        super().__init__(leaders, topic, **reached)
        self._facts = ()
        self._asker = AIOKafkaConsumer(**reached, isolation_level="read_uncommitted", retry_backoff_ms=20)

    async def start(self) -> None:
        await super().start()
        await self._asker.start()

    async def stop(self) -> None:
        await self._asker.stop()
        await super().stop()

    @property
    def doubts(self):
        """No change of leader gives a doubt; else a look at the last record would lead to the new leader."""
        return 0

    @doubts.setter
    def doubts(self, _):
        pass

    async def ends(self, tps):
        return await self._asker.end_offsets(list(tps))

    async def of_topics(self, topics):
        if not self._facts:
            self._facts = await self.partitions(tuple(topics))
        return await self.ends(self._facts)


clients.REQUEST_SECONDS = 40.0
clients.Clients.ends = lambda self: Trusting(self._leaders, self._settings.topic("sends"), **self._how())

sys.argv = ["gatekeeper", "worker"]
main()

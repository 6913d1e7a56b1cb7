"""Stock faust-streaming: an agent, a table whose changelog is the topic of consents, at least once."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import faust

from benchmarks.peers import job

app = faust.App(
    job.GROUP,
    broker=f"kafka://{job.BOOTSTRAP}",
    datadir=tempfile.mkdtemp(),
    store="memory://",
    web_enabled=False,
    topic_disable_leader=True,
    topic_partitions=job.PARTITIONS,
    topic_allow_declare=False,
    consumer_auto_offset_reset="earliest",
    producer_linger=0.005,
    producer_acks=-1,
)
RAW: dict[str, Any] = {
    "partitions": job.PARTITIONS,
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}
sends, audit = app.topic(job.SENDS, **RAW), app.topic(job.AUDIT, **RAW)
outputs = {name: app.topic(name, **RAW) for name in (job.CLEARED, job.REVIEW)}
known = app.Table(
    "consents",
    default=None,
    partitions=job.PARTITIONS,
    key_type=bytes,
    value_type=bytes,
    changelog_topic=app.topic(job.CONSENTS, compacting=True, **RAW),
)


@app.agent(sends)
async def gate(stream: Any) -> None:
    """Answers each send."""
    async for event in stream.events():
        answer = job.process(event.value, known.get(event.key))
        await outputs[answer.topic].send(key=event.key, value=answer.out)
        await audit.send(key=event.key, value=answer.audit)


if __name__ == "__main__":
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()

"""A plain aiokafka loop that reads, answers and writes exactly once."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.peers import job


async def main() -> None:
    """Answers sends in transactions until SIGTERM."""
    known, ended = job.consents(), job.Ended()
    consumer = AIOKafkaConsumer(
        job.SENDS,
        bootstrap_servers=job.BOOTSTRAP,
        group_id=job.GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=50,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=job.BOOTSTRAP, transactional_id=f"{job.GROUP}-tx", linger_ms=5, max_batch_size=2**18
    )
    await producer.start()
    await consumer.start()
    while not ended.now:
        read = await consumer.getmany(timeout_ms=200, max_records=job.BATCH)
        if not read:
            continue
        async with producer.transaction():
            waiting = []
            for partition, messages in read.items():
                batches: dict[str, list[tuple[bytes, bytes]]] = {job.CLEARED: [], job.REVIEW: [], job.AUDIT: []}
                for message in messages:
                    answer = job.process(message.value, known.get(message.key))
                    batches[answer.topic].append((message.key, answer.out))
                    batches[job.AUDIT].append((message.key, answer.audit))
                for topic, records in batches.items():
                    waiting += await written(producer, topic, partition.partition, records)
            await asyncio.gather(*waiting)
            ends = {partition: messages[-1].offset + 1 for partition, messages in read.items()}
            await producer.send_offsets_to_transaction(ends, job.GROUP)
    await consumer.stop()
    await producer.stop()


async def written(
    producer: AIOKafkaProducer, topic: str, partition: int, records: list[tuple[bytes, bytes]]
) -> list[asyncio.Future[object]]:
    """Hands records to the producer in full batches; the futures end when these are acknowledged."""
    waiting, batch = [], producer.create_batch()
    for key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    if batch.record_count():
        waiting.append(await producer.send_batch(batch, topic, partition=partition))
    return waiting


if __name__ == "__main__":
    asyncio.run(main())

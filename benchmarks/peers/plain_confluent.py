"""A plain confluent-kafka loop that reads, answers and writes exactly once."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, Producer

from benchmarks.peers import job


def main() -> None:
    """Answers sends in transactions until SIGTERM."""
    known, ended = job.consents(), job.Ended()
    consumer = Consumer(
        {
            "bootstrap.servers": job.BOOTSTRAP,
            "group.id": job.GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": job.BOOTSTRAP,
            "transactional.id": f"{job.GROUP}-tx",
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions()
    consumer.subscribe([job.SENDS])
    while not ended.now:
        first = consumer.poll(0.2)
        if first is None:
            continue
        producer.begin_transaction()
        for message in (first, *consumer.consume(job.BATCH - 1, 0)):
            if message.error():
                raise KafkaException(message.error())
            answer = job.process(message.value(), known.get(message.key()))
            for topic, value in ((answer.topic, answer.out), (job.AUDIT, answer.audit)):
                producer.produce(topic, value, message.key(), message.partition())
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata()
        )
        producer.commit_transaction()
    consumer.close()


if __name__ == "__main__":
    main()

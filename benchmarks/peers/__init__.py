"""The gate beside peers that do a small part of its job: stock Faust, plain exactly-once loops, Kafka Streams."""

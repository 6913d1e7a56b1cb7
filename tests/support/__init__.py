"""What tests stand on: worlds on Kafka, invented people, brokers that can be hurt, and oracles."""

"""One module per use case of commands and console on Kafka."""

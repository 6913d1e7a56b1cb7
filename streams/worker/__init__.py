"""The worker: Faust agent, partitions, transactions, barrier."""

"""The console: the review queue in a browser. It reads the topics and writes acts, nothing else."""

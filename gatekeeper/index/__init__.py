"""The index of the topics: what stands where, in one SQLite file that is built again at any time."""

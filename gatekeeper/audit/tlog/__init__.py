"""What writer and checkers of the transparency log share: hash trees, signed notes, canonical JSON, ranges of offsets.

It imports the standard library and `cryptography` alone, as the check in an export holds most of it.
"""

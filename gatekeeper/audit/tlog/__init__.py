"""Code shared by writer and checkers of the transparency log: hash trees, signed notes, canonical JSON, ranges.

It imports only the standard library and `cryptography`, as the check in an export contains most of it.
"""

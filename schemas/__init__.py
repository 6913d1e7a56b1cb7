"""The contract: the models of all topics, the one codec between bytes and models, and the published form.

No I/O, but that the published form reads its examples from a file beside it.
"""

"""The report of a period for management review and the auditor, computed from the gate's records, clause by clause.

It is pure. It takes a period's records one at a time, and yields integers and ids, as JSON and as a page.
"""

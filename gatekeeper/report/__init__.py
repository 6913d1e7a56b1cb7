"""The report of a period for management review and the auditor: what the gate did, by its records, clause by clause.

Pure: the records of a period in, one at a time, and out come integers and ids, as JSON and as a page.
"""

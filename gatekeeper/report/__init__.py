"""The report of a period for management review and the auditor, computed from the gate's records, clause by clause.

Pure: takes the records of a period one at a time and yields integers and ids, as JSON and as a page.
"""

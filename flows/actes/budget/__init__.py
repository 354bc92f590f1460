"""The budget of an act as people read it: a glance for the page of the act, and a presentation to print.

``page`` puts into words what ``schemas.budget`` found, once for both; ``figures`` makes its tables. It is a reading of the file
that was sent, which alone is the budget.
"""

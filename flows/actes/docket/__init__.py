"""The docket of an act (*bordereau d'acquittement*): what was sent, to whom and when, what the State acknowledged (actes 10).

``content`` gathers it from the tables, ``page`` puts it into words once; the form is that of reports on signatures. It sums up
what the acknowledgement proves, and is no proof itself.
"""

"""The docket of a folder (*bordereau de signature*): what was asked of whom, who did what and when, what signatures are worth.

``content`` gathers it from the tables, ``checking`` asks the signatures, ``page`` puts it into words once; the forms are those of
reports on signatures. What is said to the next desk only is never among it.
"""

"""The parapheur: who approves and signs what, in which order (*parapheur électronique*).

A **desk** (*bureau*) is a function, never a person; **seats** say who acts for it, **delegations** who stands in. A **subtype**
carries all the behaviour of a kind of document, a **circuit** the ordered steps. A **folder** (*dossier*) goes through the steps
of its circuit; each step opens **tasks** at desks. Everything that happens is an **event** of the folder, chained to the one
before and told to the journal.

Nothing here knows a flow: a folder bears the identifier of the dossier that it serves, and whoever moves it is told where it
stands.
"""

"""How any flow goes through the parapheur: into a circuit, on when the platform can, out again when people have decided.

What people do is in ``signing.parapheur``, which knows no flow; here a folder's standing becomes an event of the dossier that
waits for it. A flow that uses it has three rows: ``On("proceeding", proceed, …)``, ``Wait("in_parapheur", …)``, and what comes
after.
"""

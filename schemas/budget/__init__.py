"""Actes budgétaires: the sealed budget documents (TotEM, CFU) that go to the préfecture with a deliberation. See README.md."""

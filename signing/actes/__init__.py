"""ACTES: what the files of an act are worth beyond their names: budgets, PDF, signatures."""

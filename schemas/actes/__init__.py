"""ACTES: acts of local authorities sent to the State's representative for the control of legality, and what the State answers."""

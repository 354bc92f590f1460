"""Types and subtypes, their decision tables, their metadata; where the PES go."""

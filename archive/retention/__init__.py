"""How long a record is kept and hidden, and why."""

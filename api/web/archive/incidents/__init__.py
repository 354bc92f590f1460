"""“Incidents”: what is not as it was sealed, who has taken it up, what was done."""

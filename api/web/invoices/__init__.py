"""Invoices received through Chorus Pro: the list, what is late, the invoice as on paper, decisions, and how they are received."""

"""INVOICES: what suppliers sent through Chorus Pro, checked, decided, handed to the finance software, followed to its payment."""

"""The finance software of an organisation: invoices delivered to it, once each, and what it answers."""

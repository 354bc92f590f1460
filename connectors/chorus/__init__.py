"""Chorus Pro: invoices received by public bodies, what becomes of them, and deposits, over the PISTE gateway."""

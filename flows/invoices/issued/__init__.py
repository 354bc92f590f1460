"""SALES: invoices that the organisation itself issues through Chorus Pro."""

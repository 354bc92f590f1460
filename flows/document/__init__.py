"""The generic flow: any document that people approve or sign here, a letter, a purchase order, an invoice to validate."""

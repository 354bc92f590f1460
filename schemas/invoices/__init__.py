"""Electronic invoices: CII, UBL, Factur-X, the files of Chorus Pro, and the messages on what becomes of an invoice."""

"""“Facture émise”: an invoice is given to Chorus Pro, an uncertain deposit is decided of, a suspension is answered."""

"""Préférences du parapheur: what one's signatures say, how one is told; and whose certificates are known."""

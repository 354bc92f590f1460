"""Signing: what will be signed, with which key, and how far it is."""

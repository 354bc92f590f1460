"""Signatures, keys, trust and timestamps."""

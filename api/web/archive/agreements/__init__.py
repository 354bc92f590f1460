"""Agreements: who may hand over what."""

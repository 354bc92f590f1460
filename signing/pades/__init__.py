"""Signatures inside PDF documents: PAdES (ETSI EN 319 142-1) over the signatures of ISO 32000."""

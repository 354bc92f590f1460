"""Signatures inside PDF documents: PAdES (ETSI EN 319 142-1) over the signatures of ISO 32000."""

LARGEST = 160 << 20
"""Bytes of a PDF that is read or signed here: an act of 150 MB, with room for its signatures."""

"""Signature containers (ASiC, ETSI EN 319 162-1): files and their signatures in one zip; written strictly, read tolerantly."""

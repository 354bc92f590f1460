"""Courriers suivis: documents sent to named people, with what proves that each was told, took them, or did not. See ``flow``."""

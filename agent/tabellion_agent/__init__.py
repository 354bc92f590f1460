"""Signs, with the key of a token plugged in here, what a Tabellion platform has prepared. Stands alone: imports nothing of it."""

__version__ = "0.1.0"

"""The trays of the signing book: what waits for a person, and what several folders can be done at once."""

"""Vitam, the archive service of the State, by its external API."""

"""Destroying what dossiers keep of a record that was eliminated."""

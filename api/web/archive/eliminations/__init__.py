"""The pages of eliminations."""

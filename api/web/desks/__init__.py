"""Bureaux: their tree, who sits at them, what they may do."""

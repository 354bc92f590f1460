"""Circuits: their steps, their versions, a drawing in words; the seal of the server."""

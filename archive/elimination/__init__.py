"""Destroying what may be destroyed: who decided, and the proof of it."""

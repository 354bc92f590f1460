"""Packages handed over from outside: received, checked, accepted by an archivist or by their agreement, sealed, answered."""

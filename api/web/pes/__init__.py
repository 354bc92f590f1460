"""A PES as people read it: bordereaux, mandats and titres, lines, third parties, supporting documents."""

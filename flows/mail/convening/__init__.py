"""Convocations: assemblies, their members, meetings, and who will be there. The mail itself is one like any other."""

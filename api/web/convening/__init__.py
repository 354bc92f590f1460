"""Pages of convocations: assemblies and their members, meetings from their draft to their attendance sheet."""

"""The engine: a dossier moves along a table of states; each stage is claimed, performed, recorded."""

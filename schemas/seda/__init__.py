"""SEDA 2.x, the archive transfer of the French State: the manifest that names every file handed to an archive service."""

"""The samples of the archive, and a database that was lost, as fixtures."""

from tests.archive_samples import authority, files, notary, package
from tests.rebuilt import dropped, kept, stamps
from tests.replicated import sealed

__all__ = ["authority", "dropped", "files", "kept", "notary", "package", "sealed", "stamps"]

"""The samples of the archive, as fixtures."""

from tests.archive_samples import authority, files, notary, package

__all__ = ["authority", "files", "notary", "package"]

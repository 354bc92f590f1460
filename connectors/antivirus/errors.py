"""Every way in which a scan can end without an answer to the question, as one tree. None of them means that a file is clean.

core.errors.Unavailable
└── ScannerUnavailable      no connection, a time-out, an error of the scanner's own: try again later
core.errors.NeedsOperator
├── NotScanned              the file is beyond the limits that the scanner was given: somebody must raise them
└── ScannerBlind            the scanner answers, and does not find what it must find
"""

from __future__ import annotations

from core.errors import NeedsOperator, Unavailable


class ScannerUnavailable(Unavailable):
    """The scanner does not answer, hangs up, or says that it could not scan."""


class NotScanned(NeedsOperator):
    """The scanner did not look at the whole file, which is beyond one of its limits."""


class ScannerBlind(NeedsOperator):
    """The scanner lets the test file of all antiviruses pass."""

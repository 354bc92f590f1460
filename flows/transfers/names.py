"""What the files and the facts of a transfer are called."""

from __future__ import annotations

PACKAGE = "package"
"""Role of a file: the package, as it came."""
MANIFEST, ACKNOWLEDGEMENT, REPLY = "manifest", "acknowledgement", "reply"
"""Roles: what the package says of itself, and what its sender was answered."""
REPORT, SIGNATURES = "report", "signatures"
"""Roles: what the checks found, and what they found of signatures."""

DRY_RUN = "dry_run"
"""Fact: the package is checked, and goes no further."""
SAME_AS = "same_as"
"""Fact: the dossier of the transfer that this one repeats."""
CLASH = "clash"
"""Fact: the dossier of another transfer that has the identifier of this one."""
WARNINGS = "warnings"
"""Fact: what was found and does not refuse the transfer."""

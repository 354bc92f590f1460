"""Return paths that say by themselves what came back (variable envelope return path)."""

from __future__ import annotations


def return_path(base: str, envelope: str) -> str:
    """Return the address to which reports about a message come back: ``retour+8f3a…@mairie.example``.

    Args:
        base: address of the mailbox of returns, without ``+``; its server delivers ``name+anything`` to ``name`` (RFC 5233).
        envelope: opaque name of the message: letters, digits and hyphens.
    """
    local, _, domain = base.rpartition("@")
    return f"{local}+{envelope}@{domain}"

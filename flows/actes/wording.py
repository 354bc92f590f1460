"""What messages are called, whoever speaks of them: pages, interfaces and dockets say the same."""

from __future__ import annotations

from core.messages import Catalogue

_messages = Catalogue("flows.actes")


def message_label(code: str) -> str:
    """Return what a message is, by its code: ``3-1``."""
    key = f"message.{code}"
    return _messages(key) if key in _messages else code

"""The reply codes of an archive service, with their words.

Source: the list shipped with SEDA 0.2, which later versions no longer impose and services still answer with. Families: 0
accepted, 1 technical, 2 the transfer itself, 3 the agreement it is made under. Our own refusals bear them too (rule
``SEDA-207``).
"""

from __future__ import annotations

from core.messages import Catalogue

_messages = Catalogue("schemas.seda")
_PREFIX = "SEDA-"

ACCEPTED, ACCEPTED_WITH_COMMENT, ACCEPTED_CONTROL_ASKED = "000", "001", "002"
MALFORMED, UNAVAILABLE = "101", "102"
REPLY_CODES = (
    *(ACCEPTED, ACCEPTED_WITH_COMMENT, ACCEPTED_CONTROL_ASKED, MALFORMED, UNAVAILABLE),
    *(f"{code}" for code in range(200, 213)),
    *(f"{code}" for code in range(300, 313)),
)


def code_of(rule: str) -> str:
    """Return the reply code that a broken rule is answered with: that of its name, else that of a malformed message."""
    code = rule.removeprefix(_PREFIX)
    return code if code in REPLY_CODES else MALFORMED


def in_words(code: str) -> str:
    """Return what a code says; one that is not of the list is returned as it is."""
    return _messages(f"reply.{code}") if code in REPLY_CODES else code


def is_acceptance(code: str) -> bool:
    """Tell whether a code says that the archives took charge: family 0, or the words that Vitam uses."""
    return code in {ACCEPTED, ACCEPTED_WITH_COMMENT, ACCEPTED_CONTROL_ASKED} or code.upper() in {"OK", "WARNING"}

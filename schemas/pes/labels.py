"""The codes and element names of a PES in words, in the current language; what is not known shows bare."""

from __future__ import annotations

from core.messages import Catalogue

messages = Catalogue("schemas.pes")


def code(name: str, value: str | None, domain: str | None = None) -> str:
    """Return what a code means.

    Args:
        name: of the element that holds it (``TypPce``).
        value: the code as written; None gives nothing.
        domain: ``depense`` or ``recette``, where the same code differs between them.

    Returns:
        The words; the code itself when no catalogue knows it.
    """
    if value is None:
        return ""
    for key in (f"code.{domain}.{name}.{value}", f"code.{name}.{value}"):
        if key in messages:
            return messages(key)
    return value


def field(name: str) -> str:
    """Return what an element is called; its own name when no catalogue knows it."""
    key = f"field.{name}"
    return messages(key) if key in messages else name


def identifier_form(nature: str) -> str:
    """Return what identifiers of a NatIdTiers look like, of one that has a form (see `schemas.pes.identities`)."""
    return messages(f"B09.form.{nature}")

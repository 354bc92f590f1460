"""Who acts, and what they may do where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import Forbidden
from core.messages import Catalogue

_messages = Catalogue("core")


class Right(StrEnum):
    """What can be allowed; roles and API tokens are sets of these.

    ``ACT`` is to hold a desk of the parapheur: visa, sign, reject. ``ARCHIVE`` is to manage records: accept transfers, hold,
    propose eliminations. ``CONTROL`` is the control of the State over archives: the visa of eliminations. ``SURVEY`` is to see
    that dossiers exist, in which state, since when, what waits for a person and why; never what they are about.
    """

    READ = "dossier.read"
    SURVEY = "dossier.survey"
    DEPOSIT = "dossier.deposit"
    OPERATE = "dossier.operate"
    ACT = "parapheur.act"
    ADMINISTER = "organisation.administer"
    ARCHIVE = "archive.manage"
    CONTROL = "archive.control"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody or something that acts.

    Attributes:
        actor: what the journal writes: a kind and an identifier (``person:01…``, ``token:01…``, ``platform``), never a name.
        grants: the rights held, by organisation; every organisation of a subtree is listed.
        everywhere: True for the platform's own work, which sees everything.
        name: how to greet a person; empty otherwise.
    """

    actor: str
    grants: Mapping[str, frozenset[Right]] = field(default_factory=dict)
    everywhere: bool = False
    name: str = ""

    @property
    def organisations(self) -> tuple[str, ...]:
        """The organisations of which anything can be seen."""
        return tuple(self.grants)

    def may(self, right: Right, organisation_id: str) -> bool:
        """Tell whether the right is held there."""
        return self.everywhere or right in self.grants.get(organisation_id, ())

    def require(self, right: Right, organisation_id: str) -> None:
        """Go on only if the right is held there.

        Raises:
            Forbidden: it is not.
        """
        if not self.may(right, organisation_id):
            raise Forbidden(_messages("access.forbidden"))


PLATFORM = Principal("platform", everywhere=True)

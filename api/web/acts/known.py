"""What the form of an act knows of the organisation that sends it: its identifiers, its classification, its circuit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import NeedsOperator
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Principal, Right
from flows.actes import knowledge
from schemas.actes.classification import Classification
from schemas.actes.codes import NATURES

_LEAST_LEVELS = 2


@dataclass(frozen=True, slots=True)
class Theme:
    """A first level of the classification, with what may be chosen below it.

    Attributes:
        choices: code and words of each matière, level by level.
    """

    label: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """An organisation as the form needs it.

    Attributes:
        department: empty when the organisation is not connected.
        siren: likewise.
        signed: natures whose acts go through the parapheur when the form asks for it.
        reads: whoever fills in the form may be told what the organisation's other acts are about.
        trouble: why nothing can be sent; empty when it can.
    """

    organisation: Organisation
    department: str
    siren: str
    classification: Classification | None
    signed: tuple[int, ...]
    reads: bool
    trouble: str = ""

    @property
    def natures(self) -> list[tuple[str, str]]:
        """Code and label of each nature that can be sent: the classification's words, else the six of the law."""
        if self.classification is None or not self.classification.natures:
            return [(str(nature.code), nature.label) for nature in NATURES.values()]
        return [(str(nature.code), nature.label) for nature in self.classification.natures if nature.code in NATURES]

    @property
    def signed_natures(self) -> list[str]:
        """Labels of the natures whose acts go through the parapheur; none when all of them do."""
        labels = [words for code, words in self.natures if int(code) in self.signed]
        return labels if len(labels) < len(self.natures) else []

    @property
    def themes(self) -> list[Theme]:
        """The matières that may be chosen, theme by theme; none before the first classification."""
        if self.classification is None:
            return []
        below: dict[str, list[tuple[str, str]]] = {}
        for found in self.classification.walk():
            if len(found.path) < _LEAST_LEVELS:
                below[f"{found.code} – {found.labels[0]}"] = []
            else:
                theme = f"{found.path[0]} – {found.labels[0]}"
                below.setdefault(theme, []).append((found.code, f"{found.code} – {' › '.join(found.labels[1:])}"))
        return [Theme(label, tuple(choices)) for label, choices in below.items() if choices]

    def types(self, nature: int | None) -> list[tuple[str, str]]:
        """Code and words of the typologies that a file of an act of a nature may bear."""
        if self.classification is None or nature is None:
            return []
        return [(one.code, f"{one.label} ({one.code})") for one in self.classification.types(nature)]

    def usual_type(self, nature: int | None, *, annex: bool = False) -> str:
        """Return the typology of a file for which nobody chose one; empty when the classification has none for it."""
        allowed: Sequence[str] = [code for code, _ in self.types(nature)]
        known = NATURES.get(nature or 0)
        usual = ((known.annex_type,) if annex else ()) + (known.main_type,) if known else ()
        return next((code for code in usual if code in allowed), next(iter(allowed), ""))


def known_of(platform: Platform, principal: Principal, organisation: Organisation) -> Known:
    """Return what is known of an organisation, for whoever fills in its form; what it lacks is said, never raised."""
    department = siren = trouble = ""
    try:
        siren = knowledge.siren_of(platform, organisation.id)
        department = knowledge.collectivite_of(platform, organisation.id).department
        knowledge.operator_of(platform, organisation.id)
    except NeedsOperator as error:
        trouble = str(error)
    classification = knowledge.classification_of(platform, organisation.id)
    route = knowledge.route_of(platform, organisation.id)
    signed, reads = route.natures if route else (), principal.may(Right.READ, organisation.id)
    return Known(organisation, department, siren, classification, signed, reads, trouble)

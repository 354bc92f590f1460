"""The root elements of the PES V2 protocol, and what each makes of a document. Nothing about what lies below the root."""

from __future__ import annotations

from dataclasses import dataclass

_BASE = "http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0"
DS = "http://www.w3.org/2000/09/xmldsig#"
UNKNOWN = "unknown"

FROM_THE_STATE = frozenset({"pes-acquit", "pes-retour"})
"""Kinds that Hélios sends: never refused for their form."""


@dataclass(frozen=True, slots=True)
class Root:
    """One root element.

    Attributes:
        kind: what a document with this root is, in the words of ``tabellion check``.
        namespace: of the root; its descendants have none.
        name: local name.
        own: the file of this folder that describes it.
        official: the file that describes it in a tree published by the DGFiP.
    """

    kind: str
    namespace: str
    name: str
    own: str
    official: str

    @property
    def tag(self) -> str:
        """The name in Clark notation, as lxml writes it."""
        return f"{{{self.namespace}}}{self.name}"


ROOTS = (
    Root("pes-aller", f"{_BASE}/aller", "PES_Aller", "PES_Aller.xsd", "PES_V2/Rev0/PES_Aller.xsd"),
    Root("pes-acquit", f"{_BASE}/retour/v2", "PES_ACQUIT", "PES_ACQUIT.xsd", "PES_V2/Rev0/PES_V2_Acquit_Autonome_V2.xsd"),
    Root("pes-acquit", f"{_BASE}/retour", "PES_ACQUIT", "PES_ACQUIT_V1.xsd", "PES_V2/Rev0/PES_V2_Acquit_Autonome.xsd"),
    Root("pes-retour", f"{_BASE}/retour", "PES_Retour", "PES_Retour.xsd", "PES_V2/RETOUR/Rev0/PES_Retour.xsd"),
    Root(
        "pes-acquit-retour",
        f"{_BASE}/aller/ack",
        "PES_ACQUIT_RETOUR",
        "PES_ACQUIT_RETOUR.xsd",
        "PES_V2/RETOUR/Rev0/PES_V2_Acquit_Retour.xsd",
    ),
)


def root_of(tag: str) -> Root | None:
    """Return the root element with this name in Clark notation, None when it is none of the protocol's."""
    return next((root for root in ROOTS if root.tag == tag), None)


def kind_of(name: str) -> str:
    """Return the kind told by a local name alone, whatever the namespace; ``unknown`` when none does."""
    return next((root.kind for root in ROOTS if root.name == name), UNKNOWN)

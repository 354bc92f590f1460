"""The DGFiP's signature policy for PES, as configuration: what we write, and what is recognised when read."""

from __future__ import annotations

from dataclasses import dataclass

from signing.algorithms import SHA256


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """A signature policy to refer to (XAdES-EPES, ETSI TS 101 903, 7.2.3).

    Attributes:
        identifier: its OID as a URN.
        description: its title.
        location: where its text is published (SPURI).
        digest_method: identifier of the algorithm of the hash.
        digest: hash of its text, in base64.
    """

    identifier: str = "urn:oid:1.2.250.1.131.1.5.18.21.1.7"
    description: str = "Politique de signature Helios de la DGFiP"
    location: str = "https://www.collectivites-locales.gouv.fr/files/files/finances_locales/dematerialisation/ps_helios_dgfip.pdf"
    digest_method: str = SHA256
    digest: str = "roF9+cfRHNPtVJolhdqfIqGMVuUXX8aR4rpiquf0u5E="


HELIOS = SignaturePolicy()

KNOWN_HASHES: dict[str, tuple[str, ...]] = {
    HELIOS.identifier: (HELIOS.digest,),
    # the version of 2011, in SHA-256 and in SHA-1
    "urn:oid:1.2.250.1.131.1.5.18.21.1.4": (
        "pYtFgzn09kQWZywqdIGVd1fFI07tjKmEAyQHr0l/YAk=",
        "Jkdb+aba0Hz6+ZPKmKNhPByzQ+Q=",
    ),
}

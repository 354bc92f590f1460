"""The strict examination of every signature of a PES: what is looked at, in one place, for ``verify`` and for the S rules.

Nothing that a document says about how it is to be verified is followed beyond the closed lists: the parent of a signature is what
must be signed, whatever its references say, and any other construction is refused (signature wrapping).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from lxml import etree

from core.errors import UnreadableInput
from signing.algorithms import (
    DIGESTS,
    ENVELOPED,
    EXCLUSIVE_C14N,
    METHODS,
    SHA1_REFUSED_FROM,
    SignatureMethod,
    value_holds,
    weakness,
)
from signing.pes import canonical
from signing.pes.bulk import Bulk
from signing.pes.claims import examine_claims
from signing.pes.coverage import twice, uncovered
from signing.pes.findings import Finding
from signing.pes.inspected import Inspected, Inspection
from signing.pes.layout import domains, own_signatures, path_of, signatures
from signing.pes.signature import Reference, Signature, Unreadable, read_signature
from signing.pes.signed_data import SignedData
from signing.standing import standing
from signing.trust import Evidence, TrustState, TrustStore
from signing.verdicts import Belief, alterations, proved_time
from signing.xades.strangers import harbours_strangers
from signing.xades.unsigned import timestamps

_MOST_SIGNATURES = 2000
_IDENTIFIERS = ("//@Id", "//@ID", "//@id", "//@xml:id")  # one by one: the union of large sets takes quadratic time


def inspect(tree: etree._ElementTree, *, bulk: Bulk | None = None, trust: TrustStore | None, at: datetime) -> Inspection:
    """Examine every signature of a document.

    The tree is put back as it was; it must not be used by another thread meanwhile.

    Args:
        tree: parsed by ``schemas.xml``, so without DOCTYPE.
        bulk: the file it was parsed from, when it is mostly text.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
    """
    root = tree.getroot()
    elements = signatures(root)
    blocks = tuple(domains(root))
    if not elements:
        return Inspection((), domains=blocks)
    ids = Counter(str(value) for name in _IDENTIFIERS for value in root.xpath(name, smart_strings=False))
    bordereaux = [bordereau for block in blocks for bordereau in block.bordereaux]
    places = {element: rank for rank, element in enumerate([root, *bordereaux])}
    data = SignedData(places, bulk)
    inspected = tuple(_Examiner(element, ids, places, data, trust, at).run() for element in elements[:_MOST_SIGNATURES])
    findings = twice(root, ids) + uncovered(root, blocks)
    if len(elements) > _MOST_SIGNATURES:
        findings.append(Finding.at(root, "S16.many", found=str(len(elements)), expected=str(_MOST_SIGNATURES)))
    return Inspection(inspected, tuple(findings), blocks)


class _Examiner:
    """The examination of one signature, step by step; each step adds its findings."""

    def __init__(
        self,
        element: etree._Element,
        ids: Counter[str],
        places: Mapping[etree._Element, int],
        data: SignedData,
        trust: TrustStore | None,
        at: datetime,
    ) -> None:
        self.ids = ids
        self.places = places
        self.data = data
        self.trust = trust
        self.at = at
        self.parent = element.getparent()
        self.result = Inspected(element)

    def run(self) -> Inspected:
        element = self.result.element
        if self.parent is None:
            self.add("S05.place", found=path_of(element))
            return self.result
        if self.parent not in self.places:
            self.add("S05.place", found=path_of(element))
        try:
            signature = read_signature(element)
            self.result.timestamps = timestamps(signature, self.trust, self.at)  # over the value, read while the tree is whole
        except Unreadable as error:
            self.add("S04.unreadable", found=str(error))
            return self.result
        for reason in alterations(self.result.timestamps):
            self.add("S04.timestamp", found=reason)
        own = signature.signed_properties
        if signature.stowaways or harbours_strangers(element, set() if own is None else {own}):
            self.add("S05.object")
        digests = self.methods(signature)
        covered = self.references(signature)
        self.certificate(signature)
        try:
            if covered and digests and self.parent in self.places and len(own_signatures(self.parent)) == 1:
                self.cryptography(signature, *covered)
        except UnreadableInput as error:
            self.add("S04.unreadable", found=str(error))
        self.time()
        return self.result

    def add(
        self, key: str, belief: Belief | None = Belief.INVALID, *, found: str | None = None, expected: str | None = None
    ) -> None:
        self.result.findings.append(Finding.at(self.result.element, key, belief, found=found, expected=expected))

    def methods(self, signature: Signature) -> bool:
        """Hold the algorithms against the closed lists; tell whether all of them are known."""
        known = True
        if signature.canonicalization != EXCLUSIVE_C14N:
            self.add("S06.canonicalization", found=signature.canonicalization, expected=EXCLUSIVE_C14N)
            known = False
        method = METHODS.get(signature.method)
        if method is None:
            self.add("S07.unknown", found=signature.method)
            known = False
        elif method.family != "rsa":
            self.add("S07.family", None, found=signature.method)
        unknown = [reference.digest_method for reference in signature.references if reference.digest_method not in DIGESTS]
        if unknown:
            self.add("S07.unknown", found=unknown[0])
        return known and not unknown

    def references(self, signature: Signature) -> tuple[Reference, Reference] | None:
        """Return the reference to the data and the one to the signed properties, when they are what they must be."""
        own = signature.signed_properties
        identifier = None if own is None else own.get("Id")
        to_properties = [reference for reference in signature.references if identifier and reference.uri == f"#{identifier}"]
        to_data = [reference for reference in signature.references if reference not in to_properties]
        if own is None:
            self.add("S08.absent")
        elif len(to_properties) != 1 or self.ids[str(identifier)] != 1:
            self.add("S08.unsigned")
        if len(to_data) != 1 or not self.designates_parent(to_data[0]):
            found = ", ".join(str(reference.uri) for reference in to_data)
            self.add("S05.reference", found=found, expected=f"#{self.parent.get('Id') or ''}")
            return None
        if self.parent in self.places:
            name = self.parent.get("Id")
            self.result.covers = ["document" if self.parent.getparent() is None else f"bordereau {name}"]
        if len(to_properties) != 1:
            return None
        return (to_data[0], to_properties[0]) if self.transforms(to_data[0], to_properties[0]) else None

    def designates_parent(self, reference: Reference) -> bool:
        if self.parent.getparent() is None and reference.uri == "":
            return True
        name = self.parent.get("Id")
        if not name or reference.uri != f"#{name}" or self.ids[name] != 1:
            return False
        # the canonical form of the root would take in instructions that stand beside it, which "#Id" leaves out
        return self.parent.getparent() is not None or not self.parent.xpath("boolean(/processing-instruction())")

    def transforms(self, data: Reference, properties: Reference) -> bool:
        if data.transforms != (ENVELOPED, EXCLUSIVE_C14N) or data.parametrised:
            self.add("S06.transforms", found=", ".join(data.transforms), expected=f"{ENVELOPED}, {EXCLUSIVE_C14N}")
            return False
        legacy = (ENVELOPED, EXCLUSIVE_C14N)
        if properties.transforms == legacy and not properties.parametrised:
            self.add("S06.legacy", None)
        elif properties.transforms != (EXCLUSIVE_C14N,) or properties.parametrised:
            self.add("S06.transforms", found=", ".join(properties.transforms), expected=EXCLUSIVE_C14N)
            return False
        return True

    def certificate(self, signature: Signature) -> None:
        """Read the claims, and take the certificate that they name."""
        result = self.result
        result.claims, found = examine_claims(signature, self.at)
        result.findings += found
        result.certificate = result.claims.certificate if result.claims else None
        if result.certificate is None:
            return
        if weak := weakness(result.certificate):
            self.add("S07.weak", found=weak)

    def cryptography(self, signature: Signature, data: Reference, properties: Reference) -> None:
        """Recompute the digests and check the value; the small parts first, for they are read while the tree is whole."""
        result = self.result
        certificate = result.certificate
        over_properties = canonical.digest(signature.signed_properties, DIGESTS[properties.digest_method])
        method = METHODS[signature.method]
        held = certificate is not None and value_holds(
            certificate, method, signature.value, canonical.octets(signature.signed_info)
        )
        over_data = self.data.digest(result.element, DIGESTS[data.digest_method])
        if over_data != data.digest:
            self.add("S04.data", found=str(data.uri))
        if over_properties != properties.digest:
            self.add("S04.properties", found=str(properties.uri))
        if not held:
            self.add("S04.value")
        if self.parent.xpath(_CUTTING):
            self.add("S05.comment")
        result.intact = held and over_data == data.digest and over_properties == properties.digest
        self.sha1(method, [DIGESTS[reference.digest_method] for reference in signature.references])

    def sha1(self, method: SignatureMethod, digests: list[str]) -> None:
        """Refuse SHA-1, except in what is proved or claimed to be older than 2017."""
        if "sha1" not in {method.hash_name, *digests}:
            return
        claimed = self.result.claims.signing_time if self.result.claims else None
        old = claimed is not None and claimed.year < SHA1_REFUSED_FROM
        self.add("S07.sha1", Belief.INDETERMINATE if old else Belief.INVALID)

    def time(self) -> None:
        """Say where the certificate stands at the times that count."""
        result = self.result
        if result.certificate is None:
            return
        claimed = result.claims.signing_time if result.claims else None
        proved = proved_time(result.timestamps, self.at)
        evidence = Evidence(tuple(result.claims.others) if result.claims else ())
        result.standing = standing(result.certificate, self.trust, claimed=claimed, proved=proved, at=self.at, evidence=evidence)
        if proved and proved.year < SHA1_REFUSED_FROM:
            result.findings = [_excused(finding) for finding in result.findings]
        then = result.standing.then
        if then.state is TrustState.UNKNOWN:
            key = "S15.unknown" if self.trust else "S15.nobody"
            self.add(key, None, found=result.certificate.issuer.rfc4514_string())
        elif then.state is not TrustState.TRUSTED:
            self.add("S13.then", None, found=then.reason)


def _excused(finding: Finding) -> Finding:
    """Believe a SHA-1 signature that a timestamp proves to be old; the rule for a new deposit stays broken."""
    return replace(finding, belief=None) if finding.key == "S07.sha1" else finding


_CUTTING = "boolean(descendant-or-self::*[comment() or processing-instruction()][text()[normalize-space()]])"

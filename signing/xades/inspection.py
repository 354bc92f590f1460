"""The strict examination of every signature of an XML document that is not a PES, or of a detached one.

What a reference designates is found by its unique Id, and then by where it stands: above the signature, in an object of it, or
outside the document. Anything else in the document is refused, and so is a document of which something is signed by nobody: what
is believed can be moved nowhere (signature wrapping).
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime

from cryptography import x509
from lxml import etree

from signing.algorithms import DIGESTS, METHODS, SHA1_REFUSED_FROM, SignatureMethod, value_holds
from signing.pes.claims import examine_claims
from signing.pes.findings import Finding
from signing.pes.inspected import Inspected, Inspection
from signing.pes.layout import DS, SIGNATURE
from signing.pes.signature import Signature, Unreadable, read_signature
from signing.standing import standing
from signing.trust import Evidence, TrustStore
from signing.verdicts import Belief, TimestampVerdict, proved_time
from signing.xades.archive import Archive
from signing.xades.forms import Form, form_of
from signing.xades.octets import Resolve, digest_of, is_cut, is_legacy, recipe_of
from signing.xades.references import Recipe, Reference, read_references
from signing.xades.strangers import carries_signatures_only, harbours_strangers, loose_objects
from signing.xades.targets import Document, Kind, Refused, Target, target_of
from signing.xades.unsigned import evidence, has_others, timestamps

_MOST_SIGNATURES = 64
_MOST_MANIFEST = 2000
_PES_ONLY = ("S11.", "S12.", "S14.")
_UNNAMED = {"S09.no_certificate", "S09.digest", "S09.absent"}


def inspect(
    tree: etree._ElementTree, resolve: Resolve, *, trust: TrustStore | None, at: datetime, existed: datetime | None = None
) -> Inspection:
    """Examine every signature of a document; the tree must not be used by another thread meanwhile.

    Args:
        tree: parsed by ``schemas.xml``, so without DOCTYPE.
        resolve: opens the files that references name; what it raises is raised.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
        existed: a time at which the document is proved to have existed, by something outside of it.
    """
    root = tree.getroot()
    elements = list(root.iter(SIGNATURE))
    if not elements:
        return Inspection(())
    document = Document(root)
    inspected = tuple(_Examiner(element, document, resolve, trust, at, existed).run() for element in elements[:_MOST_SIGNATURES])
    findings = []
    if len(elements) > _MOST_SIGNATURES:
        findings.append(Finding.at(root, "S16.many", found=str(len(elements)), expected=str(_MOST_SIGNATURES)))
    if not (carries_signatures_only(root) or any(one.whole for one in inspected)):
        findings.append(Finding.at(root, "xades.partial"))
    return Inspection(inspected, tuple(findings))


class _Examiner:
    """The examination of one signature, step by step; each step adds its findings."""

    def __init__(
        self,
        element: etree._Element,
        document: Document,
        resolve: Resolve,
        trust: TrustStore | None,
        at: datetime,
        existed: datetime | None,
    ) -> None:
        self.document = document
        self.resolve = resolve
        self.trust = trust
        self.at = at
        self.existed = existed
        self.result = Inspected(element)
        self.evidence = Evidence()
        self.signed: set[etree._Element] = set()
        self.followed: list[tuple[Target, Recipe]] = []
        self.reached: set[object] = set()
        self.hashes: set[str] = set()

    def run(self) -> Inspected:
        result = self.result
        try:
            signature = read_signature(result.element)
            references = read_references(signature.signed_info)
            same = self.references(signature, references)
            self.certificate(signature)
            held = self.value(signature)
            result.timestamps = self.timestamps(signature, len(references) if same else None)
        except Unreadable as error:
            self.add("S04.unreadable", found=str(error))
            return result
        for _ in range(loose_objects(result.element, self.signed)):
            self.add("xades.object")
        if harbours_strangers(result.element, self.signed):
            self.add("S05.object")
        result.intact = same and held
        unchecked = same and result.certificate is None
        result.whole = result.whole and (result.intact or unchecked)
        self.time()
        return result

    def add(
        self, key: str, belief: Belief | None = Belief.INVALID, *, found: str | None = None, expected: str | None = None
    ) -> None:
        self.result.findings.append(Finding.at(self.result.element, key, belief, found=found, expected=expected))

    # what is signed

    def references(self, signature: Signature, references: tuple[Reference, ...]) -> bool:
        """Follow every reference; tell whether all of them are understood and hold."""
        targets = [self.target(signature, reference) for reference in references]
        same = [self.holds(target, reference) for target, reference in zip(targets, references, strict=True)]
        manifests = [target.element for target in targets if target is not None and target.kind is Kind.MANIFEST]
        same += [self.manifest(signature, manifest) for manifest in manifests]
        kinds = [target.kind for target in targets if target is not None]
        if signature.signed_properties is not None and kinds.count(Kind.PROPERTIES) != 1:
            self.add("S08.unsigned")
        if not self.result.covers:
            self.add("xades.nothing")
        return all(same)

    def manifest(self, signature: Signature, manifest: etree._Element) -> bool:
        """Follow the references of a manifest (XMLDSig 1.1, 5.1), which leads to data and nowhere else."""
        if len(manifest) > _MOST_MANIFEST:
            raise Unreadable("Manifest")
        same = []
        for reference in read_references(manifest):
            target = self.target(signature, reference)
            if target is not None and target.label is None:
                self.add("xades.elsewhere", found=str(reference.uri))
                target = None
            same.append(self.holds(target, reference))
        return all(same)

    def target(self, signature: Signature, reference: Reference) -> Target | None:
        try:
            return target_of(reference.uri, signature, self.document)
        except Refused as refused:
            self.add(refused.key, found=refused.found)
            return None

    def holds(self, target: Target | None, reference: Reference) -> bool:
        """Hold an announced digest against what is there, and keep what it covers."""
        if target is None:
            return False
        place = target.kind if target.kind is Kind.ABOVE else target.element if target.element is not None else target.label
        if place in self.reached:  # nobody needs it, and it would be paid for each time
            self.add("xades.several")
            return False
        self.reached.add(place)
        hash_name = DIGESTS.get(reference.digest_method)
        if hash_name is None:
            self.add("S07.unknown", found=reference.digest_method)
            return False
        self.hashes.add(hash_name)
        if is_legacy(target, reference):
            self.add("S06.legacy", None)
        own = self.result.element
        try:
            recipe = recipe_of(target, reference)
            actual = digest_of(target, recipe, hash_name, own=own, document=self.document, resolve=self.resolve)
        except Refused as refused:
            self.add(refused.key, found=refused.found)
            return False
        if not hmac.compare_digest(actual, reference.digest):
            self.add("S04.properties" if target.kind is Kind.PROPERTIES else "S04.data", found=_shown(reference.uri))
            return False
        self.followed.append((target, recipe))
        self.keep(target)
        return True

    def keep(self, target: Target) -> None:
        """Keep what is covered, and see that it reads as it is signed."""
        if target.label is not None and target.label not in self.result.covers:
            self.result.covers.append(target.label)
        if target.element is None:
            return
        self.signed.add(target.element)
        self.result.whole = self.result.whole or target.element is self.document.root
        if target.label is not None and is_cut(target.element):
            self.add("S05.comment")

    # by whom, and when

    def certificate(self, signature: Signature) -> None:
        """Take the certificate that the signed properties name; a plain signature only has that of its key."""
        result = self.result
        result.plain = signature.signed_properties is None
        bare = not signature.certificates
        known = replace(signature, certificates=self.elsewhere(signature)) if bare else signature
        findings: list[Finding] = []
        if result.plain:
            self.add("xades.plain", None)
            result.certificate = _of_value(known) or next(iter(signature.certificates), None)
        else:
            result.claims, found = examine_claims(known, self.at)
            key_is_signed = any(element.tag == f"{{{DS}}}KeyInfo" for element in self.signed)
            spared = (*_PES_ONLY, *(("S09.absent",) if key_is_signed else ()))
            findings = [finding for finding in found if not finding.key.startswith(spared)]
            result.certificate = result.claims.certificate if result.claims else None
        if bare and (result.certificate is None or any(finding.key in _UNNAMED for finding in findings)):
            findings = [finding for finding in findings if finding.key not in _UNNAMED]
            result.certificate = None
            self.add("S09.no_certificate", Belief.INDETERMINATE)
        result.findings += findings
        self.evidence = evidence(signature, tuple(one for one in signature.certificates if one is not result.certificate))
        if has_others(signature):
            self.add("xades.other_stamps", None)

    def elsewhere(self, signature: Signature) -> tuple[x509.Certificate, ...]:
        """Return the certificates among which a signature that shows none with its key may have its own."""
        brought = evidence(signature, ()).certificates
        return (*brought, *self.trust.material, *self.trust.anchors) if self.trust else brought

    def value(self, signature: Signature) -> bool:
        """Tell whether the value is that of the key over the canonical SignedInfo."""
        method, form = METHODS.get(signature.method), _form(signature)
        if method is None:
            self.add("S07.unknown", found=signature.method)
        if form is None:
            self.add("S07.unknown", found=signature.canonicalization)
            return False
        if not form.exact(signature.signed_info):
            self.add("xades.base")
            return False
        if method is None or self.result.certificate is None:
            return False
        self.sha1(method)
        if value_holds(self.result.certificate, method, signature.value, form.octets(signature.signed_info)):
            return True
        self.add("S04.value")
        return False

    def sha1(self, method: SignatureMethod) -> None:
        """Refuse SHA-1, except in what is claimed to be older than 2017; a proof of that excuses it later."""
        if "sha1" in {method.hash_name, *self.hashes}:
            claimed = self.result.claims.signing_time if self.result.claims else None
            old = claimed is not None and claimed.year < SHA1_REFUSED_FROM
            self.add("S07.sha1", Belief.INDETERMINATE if old else Belief.INVALID)

    def timestamps(self, signature: Signature, references: int | None) -> tuple[TimestampVerdict, ...]:
        """Verify the timestamps over the value, then, when its references hold, what proves that they were there.

        An archive timestamp that is not of this signature leaves it as good as it is without.
        """
        seen = self.existed or self.at
        archive = Archive(signature, tuple(self.followed[:references]), self.resolve)
        archived = () if references is None else archive.verdicts(self.trust, seen)
        for one in archived:
            if not one.valid:
                self.add("xades.archive_void", None, found=one.reason)
        seen = min(seen, proved_time(archived, self.at) or seen)
        return (*timestamps(signature, self.trust, seen), *archived)

    def time(self) -> None:
        """Say where the certificate stands at the times that count."""
        result = self.result
        if result.certificate is None:
            return
        claimed = result.claims.signing_time if result.claims else None
        proved = min(filter(None, (proved_time(result.timestamps, self.at), self.existed)), default=None)
        result.standing = standing(
            result.certificate, self.trust, claimed=claimed, proved=proved, at=self.at, evidence=self.evidence
        )
        if proved and proved.year < SHA1_REFUSED_FROM:
            result.findings = [
                replace(finding, belief=None) if finding.key == "S07.sha1" else finding for finding in result.findings
            ]


def _form(signature: Signature) -> Form | None:
    return form_of(signature.signed_info.find(f"{{{DS}}}CanonicalizationMethod"))


def _of_value(signature: Signature) -> x509.Certificate | None:
    """Return the certificate under which the value holds, or None."""
    method, form = METHODS.get(signature.method), _form(signature)
    if method is None or form is None:
        return None
    octets = form.octets(signature.signed_info)
    return next((one for one in signature.certificates if value_holds(one, method, signature.value, octets)), None)


def _shown(uri: str | None) -> str:
    return uri or "document"

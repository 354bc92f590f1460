"""The strict examination of every signature of an XML document that is not a PES, or of a detached one.

What a reference designates is found by its unique Id, and then by where it stands: above the signature, in an object of it, or
outside the document. Anything else in the document is refused, and so is a document of which something is signed by nobody: what
is believed can be moved nowhere (signature wrapping).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import IO

from cryptography import x509
from lxml import etree

from signing.algorithms import DIGESTS, EXCLUSIVE_C14N, METHODS, SignatureMethod, value_holds, weakness
from signing.pes.claims import Claims, examine_claims
from signing.pes.findings import Finding
from signing.pes.layout import DS, SIGNATURE
from signing.pes.signature import XADES, Signature, Unreadable, read_signature
from signing.standing import Standing, standing
from signing.trust import Evidence, TrustStore
from signing.verdicts import Belief, TimestampVerdict, proved_time
from signing.xades.forms import INCLUSIVE, Form, decoded, form_of, outermost, without
from signing.xades.references import Cut, Recipe, Reference, read_references
from signing.xades.unsigned import evidence, has_others, timestamps

Resolve = Callable[[str | None], IO[bytes] | None]
"""Opens the file that a URI names (None: the reference has no URI), or returns None when there is no such file."""

CONTAINER = "{http://uri.etsi.org/02918/v1.2.1#}XAdESSignatures"
"""The root under which a container (ASiC) lists its signatures."""

_SHA1_REFUSED_FROM = 2017
_MOST_SIGNATURES = 64
_MOST_MANIFEST = 2000
_PES_ONLY = ("S11.", "S12.", "S14.")
_FILE = re.compile(r"(?![/\\# ])(?![^/]*:)[^\\\x00-\x1f]+")
_IDENTIFIED = "//*[@Id or @ID or @id or @xml:id]"
_IDENTIFIERS = ("Id", "ID", "id", "{http://www.w3.org/XML/1998/namespace}id")
_STANDARDS = (
    DS,
    "http://www.w3.org/2009/xmldsig11#",
    EXCLUSIVE_C14N,
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://uri.etsi.org/01903/",
    "http://uri.etsi.org/19132/",
)
_CUTTING = "boolean(descendant-or-self::*[comment()][text()[normalize-space()]])"


class Kind(Enum):
    """Where what a reference designates stands."""

    ABOVE = auto()
    OBJECT = auto()
    MANIFEST = auto()
    KEY = auto()
    PROPERTIES = auto()
    SIGNED = auto()
    FILE = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference designates.

    Attributes:
        kind: where it stands: above the signature, in it, the signature that it countersigns, or outside.
        label: what to call it when it is data; None when it is not.
        element: itself; None outside.
    """

    kind: Kind
    label: str | None = None
    element: etree._Element | None = None


@dataclass(slots=True)
class Inspected:
    """What was found about one signature.

    Attributes:
        element: the ds:Signature.
        covers: what it covers, by name, in the order of its references.
        whole: it covers the document that it stands in.
        intact: every digest and the value hold.
        plain: it has no XAdES properties.
        certificate: the signer's.
        claims: what its signed properties say.
        timestamps: those over its value.
        standing: what is known of the certificate.
        findings: everything remarkable.
    """

    element: etree._Element
    covers: list[str] = field(default_factory=list)
    whole: bool = False
    intact: bool = False
    plain: bool = False
    certificate: x509.Certificate | None = None
    claims: Claims | None = None
    timestamps: tuple[TimestampVerdict, ...] = ()
    standing: Standing | None = None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a document.

    Attributes:
        signatures: every one of them, in order.
        findings: what concerns the document as a whole.
    """

    signatures: tuple[Inspected, ...]
    findings: tuple[Finding, ...]


def inspect(tree: etree._ElementTree, resolve: Resolve, *, trust: TrustStore | None, at: datetime) -> Inspection:
    """Examine every signature of a document; the tree must not be used by another thread meanwhile.

    Args:
        tree: parsed by ``schemas.xml``, so without DOCTYPE.
        resolve: opens the files that references name; what it raises is raised.
        trust: who is believed; None means nobody.
        at: the moment of the verification.
    """
    root = tree.getroot()
    elements = list(root.iter(SIGNATURE))
    if not elements:
        return Inspection((), ())
    document = _Document(root)
    inspected = tuple(_Examiner(element, document, resolve, trust, at).run() for element in elements[:_MOST_SIGNATURES])
    findings = []
    if len(elements) > _MOST_SIGNATURES:
        findings.append(Finding.at(root, "S16.many", found=str(len(elements)), expected=str(_MOST_SIGNATURES)))
    if not (_carries_signatures_only(root) or any(one.whole and one.intact for one in inspected)):
        findings.append(Finding.at(root, "xades.partial"))
    return Inspection(inspected, tuple(findings))


def names_file(uri: str | None) -> bool:
    """Tell whether a reference is to data outside: it has no URI, or a relative one without scheme nor parents."""
    return uri is None or (_FILE.fullmatch(uri) is not None and ".." not in uri.split("/"))


def _carries_signatures_only(root: etree._Element) -> bool:
    """Tell whether a document says nothing but its signatures, each of which says what it is over."""
    if root.tag == SIGNATURE:
        return True
    return root.tag == CONTAINER and all(child.tag == SIGNATURE for child in root.iterchildren("*")) and not _speaks(root)


class _Document:
    """A document, its identifiers, and the digests that were computed once for all its signatures."""

    def __init__(self, root: etree._Element) -> None:
        self.root = root
        self._identified: dict[str, list[etree._Element]] = {}
        for element in root.xpath(_IDENTIFIED):
            for name in _IDENTIFIERS:
                if name in element.attrib:
                    self._identified.setdefault(element.attrib[name], []).append(element)
        self._whole: dict[tuple[etree._Element, Form, str], bytes] = {}
        self.beside = bool(root.xpath("boolean(/processing-instruction())"))

    def named(self, identifier: str) -> list[etree._Element]:
        """Return the elements that bear an identifier, one for each time that it stands there."""
        return self._identified.get(identifier, [])

    def bare(self, element: etree._Element, form: Form, hash_name: str) -> bytes:
        """Return the digest of an element without any signature."""
        key = (element, form, hash_name)
        if key not in self._whole:
            with without(outermost(element), element) as bare:
                self._whole[key] = form.digest(bare, hash_name)
        return self._whole[key]


class _Examiner:
    """The examination of one signature, step by step; each step adds its findings."""

    def __init__(
        self, element: etree._Element, document: _Document, resolve: Resolve, trust: TrustStore | None, at: datetime
    ) -> None:
        self.document = document
        self.resolve = resolve
        self.trust = trust
        self.at = at
        self.result = Inspected(element)
        self.evidence = Evidence()
        self.signed: set[etree._Element] = set()
        self.reached: set[object] = set()
        self.hashes: set[str] = set()

    def run(self) -> Inspected:
        result = self.result
        try:
            signature = read_signature(result.element)
            references = read_references(signature.signed_info)
            result.timestamps = timestamps(signature, self.trust)
            same = self.references(signature, references)
            self.certificate(signature)
            held = self.value(signature)
        except Unreadable as error:
            self.add("S04.unreadable", found=str(error))
            return result
        self.objects()
        self.strangers()
        result.intact = same and held
        result.whole = result.whole and result.intact
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
        """Find what a reference designates; None, and why, when it must not designate that."""
        uri = reference.uri
        if uri == "" and self.result.element is not self.document.root:
            return Target(Kind.ABOVE, "document", self.document.root)
        if uri is not None and uri.startswith("#"):
            return self.inside(signature, uri.removeprefix("#"))
        if not names_file(uri):
            self.add("xades.elsewhere", found=uri)
            return None
        return Target(Kind.FILE, "document" if uri is None else f"file {uri}")

    def inside(self, signature: Signature, identifier: str) -> Target | None:
        """Find the element of an Id, which must be unique, and say what it is to the signature."""
        found = self.document.named(identifier)
        if len(found) != 1:
            self.add("S05.twice" if found else "xades.dangling", found=identifier)
            return None
        (element,) = found
        own, parent = self.result.element, element.getparent()
        if element is self.document.root and self.document.beside:
            self.add("xades.beside")
            return None
        if any(ancestor is element for ancestor in own.iterancestors()):
            return Target(Kind.ABOVE, "document" if parent is None else f"element {identifier}", element)
        if element is signature.signed_properties:
            return Target(Kind.PROPERTIES, None, element)
        if parent is own and element.tag == f"{{{DS}}}KeyInfo":
            return Target(Kind.KEY, None, element)
        if parent is own and element.tag == f"{{{DS}}}Object" and not self.is_properties(element):
            return Target(Kind.OBJECT, f"object {identifier}", element)
        if parent is not None and parent.tag == f"{{{DS}}}Object" and parent.getparent() is own:
            if element.tag == f"{{{DS}}}Manifest":
                return Target(Kind.MANIFEST, None, element)
            if element.tag == f"{{{DS}}}SignatureProperties":
                return Target(Kind.KEY, None, element)
            if not _qualifies(element):
                return Target(Kind.OBJECT, f"object {identifier}", element)
        if self.countersigns(element):
            return Target(Kind.SIGNED, "signature", element)
        self.add("xades.elsewhere", found=f"#{identifier}")
        return None

    def is_properties(self, holder: etree._Element) -> bool:
        """Tell whether an object holds the properties of the signature and nothing else."""
        names = [etree.QName(child) for child in holder.iterchildren("*")]
        return [(name.localname, name.namespace in XADES) for name in names] == [("QualifyingProperties", True)]

    def countersigns(self, element: etree._Element) -> bool:
        """Tell whether this is the value of the signature that carries ours as a counter-signature (TS 101 903, 7.2.4)."""
        holder = self.result.element.getparent()
        if holder is None or etree.QName(holder).localname != "CounterSignature" or etree.QName(holder).namespace not in XADES:
            return False
        return element.tag == f"{{{DS}}}SignatureValue" and element.getparent() is next(holder.iterancestors(SIGNATURE), None)

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
        recipe = self.recipe(target, reference)
        if recipe is None:
            return False
        actual = self.digest(target, recipe, hash_name)
        if actual is None:
            return False
        if not hmac.compare_digest(actual, reference.digest):
            self.add("S04.properties" if target.kind is Kind.PROPERTIES else "S04.data", found=_shown(reference.uri))
            return False
        self.keep(target)
        return True

    def recipe(self, target: Target, reference: Reference) -> Recipe | None:
        """Return how the octets are made, when it is one of the ways for such a target."""
        recipe = reference.recipe
        if recipe is not None and target.kind is Kind.PROPERTIES and recipe.cut is Cut.OWN:
            self.add("S06.legacy", None)
            recipe = replace(recipe, cut=Cut.NONE)
        if recipe is None or not _fits(recipe, target.kind):
            self.add("xades.transforms", found=", ".join(reference.transforms) or "-")
            return None
        if target.element is not None and not (recipe.form or INCLUSIVE).exact(target.element):
            self.add("xades.base")
            return None
        return recipe

    def digest(self, target: Target, recipe: Recipe, hash_name: str) -> bytes | None:
        """Return the digest of what is there; None, and why, when it cannot be had."""
        if target.element is None:
            return self.file(target, hash_name)
        if recipe.decoded:
            octets = decoded(target.element)
            if octets is None:
                self.add("S04.unreadable", found="Object")
            return None if octets is None else hashlib.new(hash_name, octets).digest()
        form = recipe.form or INCLUSIVE
        if recipe.cut is Cut.ALL:
            return self.document.bare(target.element, form, hash_name)
        own = [self.result.element] if recipe.cut is Cut.OWN else []
        with without(own, target.element) if own else nullcontext(target.element) as element:
            return form.digest(element, hash_name)

    def file(self, target: Target, hash_name: str) -> bytes | None:
        name = (target.label or "").removeprefix("file ") if target.label != "document" else None
        stream = self.resolve(name)
        if stream is None:
            self.add("xades.absent", found=name or "-")
            return None
        with stream:
            return hashlib.file_digest(stream, hash_name).digest()  # type: ignore[arg-type]  # it has readinto

    def keep(self, target: Target) -> None:
        """Keep what is covered, and see that it reads as it is signed."""
        if target.label is not None and target.label not in self.result.covers:
            self.result.covers.append(target.label)
        if target.element is None:
            return
        self.signed.add(target.element)
        self.result.whole = self.result.whole or target.element is self.document.root
        if target.label is not None and target.element.xpath(_CUTTING):
            self.add("S05.comment")

    def objects(self) -> None:
        """Refuse an object of which nothing is signed, or where something stands beside what is."""
        for holder in self.result.element.iterfind(f"{{{DS}}}Object"):
            if holder in self.signed:
                continue
            loose = [child for child in holder.iterchildren("*") if child not in self.signed]
            if any(not _qualifies(child) for child in loose) or _speaks(holder):
                self.add("xades.object")

    def strangers(self) -> None:
        """Refuse what is neither signed nor of the standards, wherever it hides in the signature: it may be taken for data."""
        if _speaks(self.result.element):
            self.add("S05.object")
            return
        pending = list(self.result.element)
        while pending:
            element = pending.pop()
            if not isinstance(element.tag, str) or element.tag == SIGNATURE or element in self.signed:
                continue  # a comment says nothing, and another signature has its own examination
            if not (etree.QName(element).namespace or "").startswith(_STANDARDS) or (len(element) and _speaks(element)):
                self.add("S05.object")
                return
            pending += element

    # by whom, and when

    def certificate(self, signature: Signature) -> None:
        """Take the certificate that the signed properties name; a plain signature only carries its own."""
        result = self.result
        result.plain = signature.signed_properties is None
        if result.plain:
            self.add("xades.plain", None)
            result.certificate = _of_value(signature)
            if result.certificate is None:
                self.add("S09.no_certificate")
            others = tuple(one for one in signature.certificates if one is not result.certificate)
        else:
            result.claims, found = examine_claims(signature, self.at)
            key_is_signed = any(element.tag == f"{{{DS}}}KeyInfo" for element in self.signed)
            spared = (*_PES_ONLY, *(("S09.absent",) if key_is_signed else ()))
            result.findings += [finding for finding in found if not finding.key.startswith(spared)]
            result.certificate = result.claims.certificate if result.claims else None
            others = result.claims.others if result.claims else ()
        self.evidence = evidence(signature, others)
        if result.certificate is not None and (weak := weakness(result.certificate)):
            self.add("S07.weak", found=weak)
        if has_others(signature):
            self.add("xades.other_stamps", None)

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
            old = claimed is not None and claimed.year < _SHA1_REFUSED_FROM
            self.add("S07.sha1", Belief.INDETERMINATE if old else Belief.INVALID)

    def time(self) -> None:
        """Say where the certificate stands at the times that count."""
        result = self.result
        if result.certificate is None:
            return
        claimed = result.claims.signing_time if result.claims else None
        proved = proved_time(result.timestamps, self.at)
        result.standing = standing(
            result.certificate, self.trust, claimed=claimed, proved=proved, at=self.at, evidence=self.evidence
        )
        if proved and proved.year < _SHA1_REFUSED_FROM:
            result.findings = [
                replace(finding, belief=None) if finding.key == "S07.sha1" else finding for finding in result.findings
            ]


def _fits(recipe: Recipe, kind: Kind) -> bool:
    """Tell whether a recipe is one for such a target: signatures are cut from above them only, files are taken as they are."""
    if kind is Kind.FILE:
        return recipe == Recipe()
    if kind is Kind.ABOVE:
        return recipe.cut is not Cut.NONE
    return recipe.cut is Cut.NONE and (not recipe.decoded or kind is Kind.OBJECT)


def _speaks(element: etree._Element) -> bool:
    """Tell whether there is text in an element itself; beside children, no structure of the standards has any."""
    return any((text or "").strip() for text in (element.text, *(child.tail for child in element)))


def _qualifies(element: etree._Element) -> bool:
    name = etree.QName(element)
    return name.localname == "QualifyingProperties" and name.namespace in XADES


def _form(signature: Signature) -> Form | None:
    return form_of(signature.signed_info.find(f"{{{DS}}}CanonicalizationMethod"))


def _of_value(signature: Signature) -> x509.Certificate | None:
    """Return the certificate of KeyInfo under which the value holds, else the first."""
    method, form = METHODS.get(signature.method), _form(signature)
    if method is None or form is None:
        return next(iter(signature.certificates), None)
    octets = form.octets(signature.signed_info)
    holding = (one for one in signature.certificates if value_holds(one, method, signature.value, octets))
    return next(holding, next(iter(signature.certificates), None))


def _shown(uri: str | None) -> str:
    return uri or "document"

"""An order in XML, signed in each of the ways in which generic XML is, and signatures changed and made true again."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from lxml import etree

from signing.algorithms import EXCLUSIVE_C14N
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pes import canonical
from signing.pes.layout import DS
from signing.xades.seal import Xades, XadesDetached

Element = etree._Element
ORDER = "urn:example:order"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
FILTER = "http://www.w3.org/2002/06/xmldsig-filter2"
DOCUMENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<order xmlns="{ORDER}" Id="ORDER" number="12">
  <amount>100.00</amount>
  <lines><line n="1">Ramettes de papier</line><line n="2">Crayons</line></lines>
</order>
"""


def tag(name: str) -> str:
    """The name of an element of XML Signature."""
    return f"{{{DS}}}{name}"


def written(path: Path, tree: Element) -> Path:
    path.write_bytes(etree.tostring(tree, encoding="UTF-8", xml_declaration=True))
    return path


def enveloped(folder: Path, signer: Pkcs12Signer, text: str = DOCUMENT) -> Element:
    """The order, signed as a whole (``URI=""``)."""
    source, target = folder / "order.xml", folder / "order.signed.xml"
    source.write_text(text, encoding="utf-8")
    sign(Xades(role="Maire"), source, target, signer)
    return etree.parse(target).getroot()


def by_identifier(folder: Path, signer: Pkcs12Signer) -> Element:
    """The order, designated by its Id."""
    root = enveloped(folder, signer)
    reference_of(root).set("URI", "#ORDER")
    resign(signature_of(root), signer)
    return root


def beside_others(folder: Path, signer: Pkcs12Signer, algorithm: str = XPATH) -> Element:
    """The order, every signature left out of what is signed, in one of the two ways."""
    root = enveloped(folder, signer)
    transform = next(reference_of(root).iter(tag("Transform")))
    transform.set("Algorithm", algorithm)
    if algorithm == XPATH:
        etree.SubElement(transform, tag("XPath")).text = "not(ancestor-or-self::ds:Signature)"
    else:
        etree.SubElement(transform, f"{{{FILTER}}}XPath", Filter="subtract").text = "/descendant::ds:Signature"
    resign(signature_of(root), signer)
    return root


def enveloping(folder: Path, signer: Pkcs12Signer) -> Element:
    """The order inside an object of its signature."""
    signature = detached(folder, signer)
    holder = etree.SubElement(signature, tag("Object"), Id="OBJECT")
    holder.append(etree.fromstring(DOCUMENT.encode()))
    reference = reference_of(signature)
    reference.set("URI", "#OBJECT")
    add_transforms(reference, EXCLUSIVE_C14N)
    set_digest(reference, canonical.digest(holder, "sha256"))
    resign(signature, signer)
    return signature


def detached(folder: Path, signer: Pkcs12Signer, **said: str) -> Element:
    """A signature apart from the order."""
    source, target = folder / "order.xml", folder / "order.xades.xml"
    source.write_text(DOCUMENT, encoding="utf-8")
    sign(XadesDetached(role="Maire", **said), source, target, signer)
    return etree.parse(target).getroot()


def signature_of(root: Element) -> Element:
    return next(root.iter(tag("Signature")))


def reference_of(root: Element) -> Element:
    """The reference to the data."""
    return next(root.iter(tag("Reference")))


def add_transforms(reference: Element, *algorithms: str) -> None:
    """Put transforms in the place of those of a reference."""
    for old in reference.findall(tag("Transforms")):
        reference.remove(old)
    transforms = etree.Element(tag("Transforms"))
    for algorithm in algorithms:
        etree.SubElement(transforms, tag("Transform"), Algorithm=algorithm)
    reference.insert(0, transforms)


def set_digest(reference: Element, digest: bytes) -> None:
    reference.find(tag("DigestValue")).text = base64.b64encode(digest).decode()


def refresh(signature: Element, signer: Pkcs12Signer) -> None:
    """Make the digest of the signed properties true again, then the value."""
    properties = next(signature.iter("{*}SignedProperties"))
    for reference in signature.find(tag("SignedInfo")).iter(tag("Reference")):
        if reference.get("URI") == f"#{properties.get('Id')}":
            set_digest(reference, hashlib.sha256(canonical.octets(properties)).digest())
    resign(signature, signer)


def resign(signature: Element, signer: Pkcs12Signer) -> None:
    """Make the value of a signature true again."""
    value = signer.sign(canonical.octets(signature.find(tag("SignedInfo"))))
    signature.find(tag("SignatureValue")).text = base64.b64encode(value).decode()

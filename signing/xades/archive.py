"""Archive timestamps of XAdES, of the namespace 1.4.1 (TS 101 903, 8.2.1; EN 319 132-1, 5.5.2.2).

One is over what the signature is over, the signature, and the unsigned properties before it. Those of 1.3.2, and those that list
what they are over, are not read.

One that is not of this signature proves nothing, and is not called altered: tools differ in how they read the standard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from lxml import etree

from core.messages import Catalogue
from signing.pes.layout import DS
from signing.pes.signature import Signature, Unreadable, timestamp_tokens
from signing.timestamp.token import verify_stamp
from signing.trust import TrustState, TrustStore
from signing.verdicts import TimestampVerdict, proved_time
from signing.xades.forms import INCLUSIVE, Form, form_of
from signing.xades.octets import Resolve, write
from signing.xades.references import Recipe
from signing.xades.strangers import qualifies
from signing.xades.targets import Refused, Target

_messages = Catalogue("signing")
_ARCHIVE_TIMESTAMP = "{http://uri.etsi.org/01903/v1.4.1#}ArchiveTimeStamp"
_METHOD = f"{{{DS}}}CanonicalizationMethod"
_STAMP = "EncapsulatedTimeStamp"
_PROPERTIES = "{*}UnsignedProperties/{*}UnsignedSignatureProperties/{*}ArchiveTimeStamp"
_MOST = 5


def is_read(element: etree._Element) -> bool:
    """Tell whether a timestamp is an archive timestamp of the kind that is read here."""
    parts = [child.tag == _METHOD or etree.QName(child).localname == _STAMP for child in element.iterchildren("*")]
    return element.tag == _ARCHIVE_TIMESTAMP and bool(parts) and all(parts)


@dataclass(frozen=True, slots=True)
class Archive:
    """A signature, and what its references were found to be over.

    Attributes:
        signature: itself.
        followed: what each reference designates and how its octets are made, in order.
        resolve: opens files.
    """

    signature: Signature
    followed: tuple[tuple[Target, Recipe], ...]
    resolve: Resolve

    def verdicts(self, trust: TrustStore | None, seen: datetime) -> tuple[TimestampVerdict, ...]:
        """Verify each archive timestamp, seen when those after it say; see ``verify_stamp``.

        Raises:
            Unreadable: more than five of them, or one whose token is no base64.
        """
        found = [one for one in self._stamps() if is_read(one)]
        if len(found) > _MOST:
            raise Unreadable("ArchiveTimeStamp")
        verdicts: list[TimestampVerdict] = []
        for one in reversed(found):
            told = [self._verdict(one, token, trust, seen) for token in timestamp_tokens(one)]
            seen = min(seen, proved_time(told, seen) or seen)
            verdicts[:0] = told
        return tuple(verdicts)

    def _stamps(self) -> Iterator[etree._Element]:
        qualifying = self.signature.qualifying
        return iter(()) if qualifying is None else qualifying.iterfind(_PROPERTIES)

    def _verdict(self, stamp: etree._Element, token: bytes, trust: TrustStore | None, seen: datetime) -> TimestampVerdict:
        method = stamp.find(_METHOD)
        form = INCLUSIVE if method is None else form_of(method)
        verdict = TimestampVerdict(None, None, False, TrustState.UNKNOWN, _messages("xades.stamp_form"))
        if form is None:
            return verdict
        every, bare = self._objects(), self._unsigned_objects()
        for objects in (every, bare) if bare != every else (every,):  # the older text takes in all, the newer what nobody signs
            try:
                digest = partial(self._digest, stamp, form, objects)
                verdict = verify_stamp(token, digest, trust=trust, seen=seen).as_verdict()
            except (Refused, Unreadable):
                break
            if verdict.valid:
                break
        return replace(verdict, altered=False)

    def _digest(self, stamp: etree._Element, form: Form, objects: list[etree._Element], hash_name: str) -> bytes:
        found = hashlib.new(hash_name)
        for target, recipe in self.followed:
            write(target, recipe, found.update, own=self.signature.element, resolve=self.resolve, unnamed=form)
        for element in self._after(stamp, objects):
            if not form.exact(element):
                raise Refused("xades.base")
            form.write(element, found.update)
        return found.digest()

    def _after(self, stamp: etree._Element, objects: list[etree._Element]) -> Iterator[etree._Element]:
        """Give what follows the data, in order: SignedInfo, the value, the key, the properties before the timestamp, objects."""
        yield self.signature.signed_info
        yield self.signature.value_element
        yield from self.signature.element.iterchildren(f"{{{DS}}}KeyInfo")
        yield from reversed(list(stamp.itersiblings("*", preceding=True)))
        yield from objects

    def _objects(self) -> list[etree._Element]:
        found = self.signature.element.iterchildren(f"{{{DS}}}Object")
        return [one for one in found if not any(map(qualifies, one.iterchildren("*")))]

    def _unsigned_objects(self) -> list[etree._Element]:
        signed = {target.element for target, _ in self.followed}
        return [one for one in self._objects() if one not in signed and signed.isdisjoint(one)]

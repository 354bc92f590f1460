"""What is wrong with a PES as a whole: what should be signed and is not, signatures in each other's way, identifiers twice."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from lxml import etree

from signing.pes.findings import Finding
from signing.pes.layout import Domain, own_signatures, path_of

_MOST_PLACES = 50


def twice(root: etree._Element, ids: Counter[str]) -> list[Finding]:
    """Find identifiers that stand more than once: which element is signed cannot be told."""
    repeated = [value for value, count in ids.items() if count > 1]
    return [Finding.at(root, "S05.twice", found=", ".join(repeated[:5]))] if repeated else []


def uncovered(root: etree._Element, blocks: tuple[Domain, ...]) -> list[Finding]:
    """Find what should be signed and is not, and signatures in each other's way: the DGFiP's policy allows one per element.

    For the DGFiP a domain on paper may stand beside one that is signed, and no rule is broken. What is sent that way is signed by
    nobody all the same: the flag that calls it paper stands outside of what is signed, where anybody may set it.
    """
    bordereaux = [bordereau for block in blocks for bordereau in block.bordereaux]
    several = (holder for holder in (root, *bordereaux) if len(own_signatures(holder)) > 1)
    found = [Finding.at(holder, "S16.several") for holder in islice(several, _MOST_PLACES)]
    signed = {bordereau for bordereau in bordereaux if own_signatures(bordereau)}
    if own_signatures(root):
        return found + ([Finding.at(root, "S16.mixed")] if signed else [])
    if not signed:
        return found
    bare = [(block, bordereau) for block in blocks for bordereau in block.bordereaux if bordereau not in signed]
    return found + [
        Finding.at(
            bordereau, "S03.unsigned" if block.signed or block.dematerialised else "paper.unsigned", found=_name(bordereau)
        )
        for block, bordereau in islice(bare, _MOST_PLACES)
    ]


def _name(bordereau: etree._Element) -> str:
    number = bordereau.find("{*}BlocBordereau/{*}IdBord")
    return str((number.get("V") if number is not None else None) or bordereau.get("Id") or path_of(bordereau))

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
    """Find what should be signed and is not, and signatures in each other's way: the DGFiP's policy allows one per element."""
    bordereaux = [bordereau for block in blocks for bordereau in block.bordereaux]
    several = (holder for holder in (root, *bordereaux) if len(own_signatures(holder)) > 1)
    found = [Finding.at(holder, "S16.several") for holder in islice(several, _MOST_PLACES)]
    signed = {bordereau for bordereau in bordereaux if own_signatures(bordereau)}
    if own_signatures(root):
        return found + ([Finding.at(root, "S16.mixed")] if signed else [])
    concerned = [block for block in blocks if block.signed or (signed and block.dematerialised)]
    bare = (bordereau for block in concerned for bordereau in block.bordereaux if bordereau not in signed)
    return found + [Finding.at(bordereau, "S03.unsigned", found=_name(bordereau)) for bordereau in islice(bare, _MOST_PLACES)]


def _name(bordereau: etree._Element) -> str:
    number = bordereau.find("{*}BlocBordereau/{*}IdBord")
    return str((number.get("V") if number is not None else None) or bordereau.get("Id") or path_of(bordereau))

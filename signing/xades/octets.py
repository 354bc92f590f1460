"""The octets that a reference is over: which recipe is one for what it designates, and what digest it gives."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO

from lxml import etree

from core.errors import UnreadableInput
from schemas import xml
from signing.xades.forms import INCLUSIVE, Form, decoded, outermost, without
from signing.xades.references import Cut, Recipe, Reference
from signing.xades.targets import Document, Kind, Refused, Target

Resolve = Callable[[str | None], IO[bytes] | None]
"""Opens the file that a URI names (None: the reference has no URI), or returns None when there is no such file."""

_LARGEST_CANONICAL = 64 << 20
_PIECE = 1 << 18
_CUTTING = "boolean(descendant-or-self::*[comment()][text()[normalize-space()]])"


def is_legacy(target: Target, reference: Reference) -> bool:
    """Tell whether signed properties are said to be without the signature, which they do not hold: a habit of old tools."""
    return target.kind is Kind.PROPERTIES and reference.recipe is not None and reference.recipe.cut is Cut.OWN


def recipe_of(target: Target, reference: Reference) -> Recipe:
    """Return how the octets are made.

    Raises:
        Refused: not one of the ways for such a target.
    """
    recipe = reference.recipe
    if recipe is not None and is_legacy(target, reference):
        recipe = replace(recipe, cut=Cut.NONE)
    if recipe is None or not _fits(recipe, target.kind):
        raise Refused("xades.transforms", ", ".join(reference.transforms) or "-")
    if target.element is not None and not (recipe.form or INCLUSIVE).exact(target.element):
        raise Refused("xades.base")
    return recipe


def digest_of(
    target: Target, recipe: Recipe, hash_name: str, *, own: etree._Element, document: Document, resolve: Resolve
) -> bytes:
    """Return the digest of what is there.

    Args:
        target: what is designated.
        recipe: how its octets are made.
        hash_name: of ``hashlib``.
        own: the signature itself.
        document: in which both stand.
        resolve: opens the file, when it is one; what it raises is raised.

    Raises:
        Refused: the digest cannot be had.
        Unreadable: there is no such canonical form.
    """
    if target.element is not None and recipe.cut is Cut.ALL:
        return document.bare(target.element, recipe.form or INCLUSIVE, hash_name)
    found = hashlib.new(hash_name)
    write(target, recipe, found.update, own=own, resolve=resolve)
    return found.digest()


def write(
    target: Target,
    recipe: Recipe,
    sink: Callable[[bytes], object],
    *,
    own: etree._Element,
    resolve: Resolve,
    unnamed: Form = INCLUSIVE,
) -> None:
    """Give the octets of what is there, in pieces.

    Args:
        target: what is designated.
        recipe: how its octets are made.
        sink: takes them.
        own: the signature itself.
        resolve: opens the file, when it is one; what it raises is raised.
        unnamed: the form of an element for which the recipe names none.

    Raises:
        Refused: the octets cannot be had.
        Unreadable: there is no such canonical form.
    """
    if target.element is None:
        _write_file(target, recipe.form, sink, resolve)
        return
    if recipe.decoded:
        octets = decoded(target.element)
        if octets is None:
            raise Refused("S04.unreadable", "Object")
        sink(octets)
        return
    left_out = [own] if recipe.cut is Cut.OWN else outermost(target.element) if recipe.cut is Cut.ALL else []
    with without(left_out, target.element) if left_out else nullcontext(target.element) as element:
        (recipe.form or unnamed).write(element, sink)


def is_cut(element: etree._Element) -> bool:
    """Tell whether a comment cuts a text, which programs then read in part."""
    return bool(element.xpath(_CUTTING))


def _write_file(target: Target, form: Form | None, sink: Callable[[bytes], object], resolve: Resolve) -> None:
    name = (target.label or "").removeprefix("file ") if target.label != "document" else None
    stream = resolve(name)
    if stream is None:
        raise Refused("xades.absent", name or "-")
    with stream:
        if form is not None:
            form.write(_root_of(stream, name or "-"), sink)
            return
        while piece := stream.read(_PIECE):
            sink(piece)


def _root_of(stream: IO[bytes], name: str) -> etree._Element:
    """Return the root of a file of XML that is signed in its canonical form, and reads as it is signed."""
    with tempfile.NamedTemporaryFile() as file:  # what reads what strangers send reads files
        file.write(stream.read(_LARGEST_CANONICAL + 1))
        file.flush()
        if file.tell() > _LARGEST_CANONICAL:
            raise Refused("xades.not_xml", name)
        try:
            root = xml.parse(Path(file.name)).getroot()
        except UnreadableInput as error:
            raise Refused("xades.not_xml", name) from error
    if is_cut(root):
        raise Refused("S05.comment")
    return root


def _fits(recipe: Recipe, kind: Kind) -> bool:
    """Tell whether a recipe is one for such a target: signatures are cut from above them only, files are never decoded."""
    if kind is Kind.FILE:
        return recipe == Recipe(form=recipe.form)
    if kind is Kind.ABOVE:
        return recipe.cut is not Cut.NONE
    return recipe.cut is Cut.NONE and (not recipe.decoded or kind is Kind.OBJECT)

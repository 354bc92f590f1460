"""Every format of signature that can be produced, by name; what a signature will say, as JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from core.errors import UsageError
from core.messages import Catalogue
from signing.asic.seal import AsicE
from signing.cades.seal import Cades
from signing.legs import Format
from signing.pades.seal import Pades
from signing.pes.format import Pes
from signing.trust import Evidence
from signing.xades.seal import Xades, XadesDetached

_messages = Catalogue("signing")
FORMATS: Mapping[str, type[Format]] = {kind.name: kind for kind in (Pes, Pades, Cades, AsicE, Xades, XadesDetached)}


@dataclass(frozen=True, slots=True)
class Media:
    """What goes in and what comes out.

    Attributes:
        document: media type of the document; None when the format takes any.
        result: media type of the signed document, or of its detached signature.
        suffix: of the name of the result.
    """

    document: str | None
    result: str
    suffix: str


MEDIA: Mapping[str, Media] = {
    "pes": Media("application/xml", "application/xml", ".xml"),
    "pades": Media("application/pdf", "application/pdf", ".pdf"),
    "cades": Media(None, "application/pkcs7-signature", ".p7s"),
    "asic-e": Media("application/zip", "application/vnd.etsi.asic-e+zip", ".asice"),
    "xades": Media("application/xml", "application/xml", ".xml"),
    "xades-detached": Media(None, "application/xml", ".xades.xml"),
}


def format_named(name: str) -> type[Format]:
    """Return a format.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise UsageError(_messages("sitting.format", found=name[:40], expected=", ".join(sorted(FORMATS)))) from None


def as_json(how: Format) -> dict[str, Any]:
    """Return what a format's signatures say as JSON values, from which ``from_json`` makes the same again.

    Evidence is no part of it: it is found when a signature is prepared, and dated then.
    """
    model = _model(type(how))
    said = model.model_validate({name: getattr(how, name) for name in model.model_fields})
    return said.model_dump(mode="json")


def from_json(name: str, context: Mapping[str, Any]) -> Format:
    """Return a format with what its signatures will say.

    Raises:
        UsageError: no such format, something said that it does not know, something missing, a control character in a text.
    """
    kind = format_named(name)
    try:
        said = _model(kind).model_validate(dict(context))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"])) or name
        raise UsageError(_messages("sitting.context", format=name, place=place[:200])) from None
    if not all(text.isprintable() for text in _texts(context)):
        raise UsageError(_messages("sitting.unprintable", format=name))
    return kind(**{field: getattr(said, field) for field in type(said).model_fields})


@cache
def _model(kind: type[Any]) -> type[BaseModel]:
    """Return the fields of a format as a model that admits no other, at any depth."""
    types = get_type_hints(kind)
    told = [field for field in fields(kind) if types[field.name] is not Evidence]
    defaults = {field.name: ... if field.default is MISSING else field.default for field in told}
    given: dict[str, Any] = {name: (types[name], default) for name, default in defaults.items()}
    return create_model(kind.__name__, __config__=ConfigDict(extra="forbid"), **given)


def _texts(value: Any) -> list[str]:
    """Return every text of a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]

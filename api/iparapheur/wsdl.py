"""The description of the service (WSDL 1.1), drawn from the types of its messages: it cannot say anything else than they do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from connectors.iparapheur.fields import Field, element_of, fields_of
from connectors.iparapheur.messages import NAMESPACE, OPERATIONS, XMLMIME, Answer, Document, Request

MEDIA = "text/xml; charset=utf-8"
_SIMPLE = {str: "xs:string", bool: "xs:boolean", int: "xs:int", date: "xs:date", datetime: "xs:dateTime"}
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<wsdl:definitions name="iparapheur" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
    'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
    f'xmlns:mime="{XMLMIME}" xmlns:p="{NAMESPACE}" targetNamespace="{NAMESPACE}">'
)
_BASE64 = (
    f'<xs:schema targetNamespace="{XMLMIME}" attributeFormDefault="qualified"><xs:attribute name="contentType" type="xs:string"/>'
    '<xs:complexType name="base64Binary"><xs:simpleContent><xs:extension base="xs:base64Binary">'
    '<xs:attribute ref="mime:contentType"/></xs:extension></xs:simpleContent></xs:complexType></xs:schema>'
)


def describe(address: str) -> str:
    """Return the description of the service that stands at an address."""
    kinds: dict[str, type[Any]] = {}
    elements = "".join(_element(kind, kinds) for pair in OPERATIONS.items() for kind in pair)
    types = "".join(_types(kinds))
    names = [
        (element_of(asked).removesuffix("Request"), element_of(asked), element_of(told)) for asked, told in OPERATIONS.items()
    ]
    messages = "".join(_message(element) for _, asked, told in names for element in (asked, told))
    ports = "".join(
        f'<wsdl:operation name="{name}"><wsdl:input message="p:{asked}"/><wsdl:output message="p:{told}"/></wsdl:operation>'
        for name, asked, told in names
    )
    body = '<soap:body use="literal"/>'
    bound = "".join(
        f'<wsdl:operation name="{name}"><soap:operation soapAction=""/><wsdl:input>{body}</wsdl:input>'
        f"<wsdl:output>{body}</wsdl:output></wsdl:operation>"
        for name, _, _ in names
    )
    return (
        f'{_HEAD}<wsdl:types>{_BASE64}<xs:schema targetNamespace="{NAMESPACE}" elementFormDefault="qualified">'
        f'<xs:import namespace="{XMLMIME}"/>{elements}{types}</xs:schema></wsdl:types>{messages}'
        f'<wsdl:portType name="InterfaceParapheur">{ports}</wsdl:portType>'
        '<wsdl:binding name="InterfaceParapheurSoap11" type="p:InterfaceParapheur">'
        f'<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</wsdl:binding>'
        '<wsdl:service name="InterfaceParapheurService"><wsdl:port name="InterfaceParapheurSoap11" '
        f'binding="p:InterfaceParapheurSoap11"><soap:address location={quoteattr(address)}/></wsdl:port></wsdl:service>'
        "</wsdl:definitions>"
    )


def _message(element: str) -> str:
    return f'<wsdl:message name="{element}"><wsdl:part name="{element}" element="p:{element}"/></wsdl:message>'


def _element(kind: type[Request | Answer], kinds: dict[str, type[Any]]) -> str:
    name, fields = element_of(kind), fields_of(kind)
    if [field.element.name for field in fields] == [""]:
        return f'<xs:element name="{name}" type="{_type(fields[0].kind, kinds)}"/>'
    return f'<xs:element name="{name}">{_sequence(fields, kinds)}</xs:element>'


def _sequence(fields: tuple[Field, ...], kinds: dict[str, type[Any]], name: str = "") -> str:
    named = f' name="{name}"' if name else ""
    return (
        f"<xs:complexType{named}><xs:sequence>{''.join(_field(field, kinds) for field in fields)}</xs:sequence></xs:complexType>"
    )


def _field(field: Field, kinds: dict[str, type[Any]]) -> str:
    name, each, kind = field.element.name, field.element.each, _type(field.kind, kinds)
    least = "" if field.default is MISSING else ' minOccurs="0"'
    nil = ' nillable="true"' if field.element.nil else ""
    if each:
        many = f'<xs:element name="{each}" type="{kind}" minOccurs="0" maxOccurs="unbounded"/>'
        return f'<xs:element name="{name}"{least}><xs:complexType><xs:sequence>{many}</xs:sequence></xs:complexType></xs:element>'
    most = ' maxOccurs="unbounded"' if field.many else ""
    return f'<xs:element name="{name}" type="{kind}"{least}{most}{nil}/>'


def _type(kind: type[Any], kinds: dict[str, type[Any]]) -> str:
    """Return the name of a type, and keep in mind those that are to be described."""
    if kind is Document:
        return "mime:base64Binary"
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind.__name__ not in kinds:
        kinds[kind.__name__] = kind
        if is_dataclass(kind):
            for field in fields_of(kind):
                _type(field.kind, kinds)
    return f"p:{kind.__name__}"


def _types(kinds: dict[str, type[Any]]) -> Iterator[str]:
    for name, kind in list(kinds.items()):
        if is_dataclass(kind):
            yield _sequence(fields_of(kind), kinds, name)
        elif issubclass(kind, StrEnum):
            values = "".join(f'<xs:enumeration value="{escape(value)}"/>' for value in kind)
            yield f'<xs:simpleType name="{name}"><xs:restriction base="xs:string">{values}</xs:restriction></xs:simpleType>'

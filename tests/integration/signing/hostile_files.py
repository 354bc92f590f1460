"""Files that ask for much more than they hold."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib

from asn1crypto import cms

from tests.integration.signing.breaking import zipped
from tests.integration.signing.essences import Signed


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


def hostile(signed: dict[str, Signed]) -> dict[str, bytes]:
    """Each by a name that tells what is too much in it."""
    message = cms.ContentInfo.load(signed["CAdES"].octets)
    inner = message["content"]
    signer, certificate = (inner[name][0].dump() for name in ("signer_infos", "certificates"))
    head = der(0x30, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")[2:]

    def crowd(signers: int, certificates: int) -> bytes:
        start = [der(2, b"\x01"), inner["digest_algorithms"].dump(), inner["encap_content_info"].dump()]
        return der(0x30, head, der(0xA0, der(0x30, *start, der(0xA0, certificate * certificates), der(0x31, signer * signers))))

    pes = signed["PES"].octets
    signature = re.search(rb"<ds:Signature .*?</ds:Signature>", pes, re.DOTALL)
    assert signature is not None
    pdf = signed["PAdES"].octets
    bomb = zlib.compress(bytes(300 << 20), 9)
    return {
        "deep.xml": b"<a>" * 300_000 + b"</a>" * 300_000,
        "attributes.xml": b"<a " + b" ".join(b'a%d="x"' % rank for rank in range(200_000)) + b"/>",
        "signatures.xml": pes.replace(signature[0], signature[0] * 400),
        "spaces.xml": pes.replace(b"</n:PES_Aller>", b"</n:PES_Aller>" + b" " * (40 << 20)),
        "nested.p7s": b"\x30\x80" * 500_000,
        "nested_content.p7s": der(0x30, head, der(0xA0, der(0x30, der(2, b"\x01"), b"\x31\x80" * 200_000))),
        "length.p7s": b"\x30\x84\xff\xff\xff\xff" + signed["CAdES"].octets[4:],
        "signers.p7s": crowd(3_000, 1),
        "certificates.p7s": crowd(1, 3_000),
        "armour.p7s": signed["CAdES in PEM"].octets.replace(b"\n-----END", b"A" * (40 << 20) + b"\n-----END"),
        "hyphens.p7s": b"-----BEGIN PKCS7-----\n" * 200_000,
        "stamp.tsr": signed["response"].octets + bytes(40 << 20),
        "zeros.asice": _deflated({"mimetype": b"application/vnd.etsi.asic-e+zip", "META-INF/signature001.p7s": bytes(300 << 20)}),
        "manifest.asice": _deflated({"a": b"a", "META-INF/ASiCManifest.xml": b"<a>" + b"<b/>" * (10 << 20) + b"</a>"}),
        "directory.asice": _directory(700_000),
        "stream.pdf": b"%%PDF-1.7\n1 0 obj\n<</Type/XRef/W[1 2 1]/Size 9/Root 2 0 R/Filter/FlateDecode/Length %d>>stream\n"
        % len(bomb)
        + bomb
        + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n",
        "arrays.pdf": b"%PDF-1.7\n1 0 obj\n" + b"[" * 500_000 + b"]" * 500_000 + b"\nendobj\nstartxref\n9\n%%EOF",
        "loop.pdf": re.sub(rb"startxref\s+\d+", b"startxref\n9", pdf),
        "range.pdf": re.sub(rb"/ByteRange \[[^\]]*\]", b"/ByteRange [0 9 99999999999 9]", pdf),
    }


def _deflated(files: dict[str, bytes]) -> bytes:
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return octets.getvalue()


def _directory(count: int) -> bytes:
    """A zip whose directory names one empty file many times over."""
    octets = zipped([("a.txt", b"")])
    begin, end = octets.index(b"PK\x01\x02"), octets.index(b"PK\x05\x06")
    size = (end - begin) * count
    tail = b"PK\x05\x06\0\0\0\0" + struct.pack("<HHIIH", count & 0xFFFF, count & 0xFFFF, size, begin, 0)
    return octets[:begin] + octets[begin:end] * count + tail

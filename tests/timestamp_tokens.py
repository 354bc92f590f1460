"""Timestamp tokens made by hand: of any time, over any hash, as no authority that we can ask gives them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from signing.pki import Credential

_SIGNED_WITH = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}


def crafted(stamper: Credential, data: bytes, moment: datetime, *, imprint: str = "sha256", digest: str = "sha256") -> bytes:
    """Return the DER of a token.

    Args:
        stamper: who makes it, with an RSA key.
        data: what it is over.
        moment: the time that it tells.
        imprint: hash of the data; one that ``hashlib`` does not know is dotted, and the imprint then means nothing.
        digest: hash that the authority signs with.
    """
    over = bytes(32) if "." in imprint else hashlib.new(imprint, data).digest()
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3.4.5",
            "message_imprint": {"hash_algorithm": algos.DigestAlgorithm({"algorithm": imprint}), "hashed_message": over},
            "serial_number": 7,
            "gen_time": moment.replace(microsecond=0),
        }
    ).dump()
    certificate = asn1_x509.Certificate.load(stamper.certificate.public_bytes(Encoding.DER))
    identifier = {"cert_hash": hashlib.sha256(certificate.dump()).digest()}
    values = {
        "content_type": "tst_info",
        "message_digest": hashlib.new(digest, info).digest(),
        "signing_certificate_v2": tsp.SigningCertificateV2({"certs": [identifier]}),
    }
    attributes = cms.CMSAttributes([cms.CMSAttribute({"type": kind, "values": [value]}) for kind, value in values.items()])
    assert isinstance(stamper.key, rsa.RSAPrivateKey)
    signer = {
        "version": "v1",
        "sid": {"issuer_and_serial_number": {"issuer": certificate.issuer, "serial_number": certificate.serial_number}},
        "digest_algorithm": {"algorithm": digest},
        "signed_attrs": attributes,
        "signature_algorithm": {"algorithm": f"{digest}_rsa"},
        "signature": stamper.key.sign(attributes.dump(), padding.PKCS1v15(), _SIGNED_WITH[digest]),
    }
    signed = {
        "version": "v3",
        "digest_algorithms": [{"algorithm": digest}],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
        "certificates": [certificate],
        "signer_infos": [signer],
    }
    der: bytes = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump()
    return der

"""What the DNS says of a domain, asked of a server that speaks the real protocol."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from connectors.mail import domains
from connectors.mail.domains import is_public, takes_mail

# What there is, by name and type; a name that is not here does not exist.
ZONE: dict[str, dict[str, str]] = {
    "mairie.fr": {"MX": "10 mx.mairie.fr."},
    "adresse.fr": {"A": "192.0.2.1"},
    "six.fr": {"AAAA": "2001:db8::1"},
    "muet.fr": {"MX": "0 ."},
    "rien.fr": {},
}


class _Answering(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        octets, sender = self.request
        asked = dns.message.from_wire(octets)
        (question,) = asked.question
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        if name == "panne.fr":
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name not in ZONE:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in ZONE[name]:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, ZONE[name][kind]))
        sender.sendto(answer.to_wire(), self.client_address)


@pytest.fixture(autouse=True)
def _dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socketserver.UDPServer(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        monkeypatch.setattr(domains, "_resolver", lambda: resolver)
        yield
        server.shutdown()


@pytest.mark.parametrize(
    ("domain", "takes"),
    [("mairie.fr", True), ("adresse.fr", True), ("six.fr", True), ("muet.fr", False), ("rien.fr", False), ("marie.fr", False)],
)
def test_a_domain_takes_mail_by_its_servers_or_by_its_own_address(domain: str, takes: bool) -> None:
    assert takes_mail(domain) is takes


def test_a_dns_that_fails_or_keeps_silent_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domains, "PATIENCE", 0.2)
    assert takes_mail("panne.fr") is None
    silent = dns.resolver.Resolver(configure=False)
    silent.nameservers = ["127.0.0.1"]
    silent.port = 9  # nobody
    monkeypatch.setattr(domains, "_resolver", lambda: silent)
    assert takes_mail("mairie.fr") is None


@pytest.mark.parametrize("domain", ["mairie.test", "valmorin.example", "serveur.lan"])
def test_the_dns_is_not_asked_about_names_that_it_never_knows(domain: str) -> None:
    assert not is_public(domain)
    assert is_public("valmorin.fr")

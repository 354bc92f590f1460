"""Whether a domain takes mail at all, as the DNS says (RFC 5321, 5.1; null MX: RFC 7505)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dns.resolver import Resolver

PATIENCE = 4.0
"""Seconds for one question; a server that is slower does not tell anything of the domain."""
_OWN = (".test", ".example", ".invalid", ".localhost", ".local", ".internal", ".lan")
_ADDRESSES = ("A", "AAAA")


def is_public(domain: str) -> bool:
    """Tell whether the DNS may know a domain: names that are set apart (RFC 6761) and those of a local network it does not."""
    return not domain.endswith(_OWN)


def takes_mail(domain: str) -> bool | None:
    """Tell whether mail can be sent to a domain; None when the DNS does not answer.

    Args:
        domain: in A-labels.
    """
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration

    try:
        return _has_servers(_resolver(), domain)
    except NXDOMAIN:
        return False
    except NoAnswer:  # no MX: the domain's own address takes its mail (RFC 5321, 5.1)
        return _has_address(domain)
    except (DNSException, NoResolverConfiguration, OSError):
        return None


def _has_servers(resolver: Resolver, domain: str) -> bool:
    answer = resolver.resolve(domain, "MX", lifetime=PATIENCE)
    return any(str(one.exchange) != "." for one in answer)


def _has_address(domain: str) -> bool | None:
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, NoAnswer

    for kind in _ADDRESSES:
        try:
            _resolver().resolve(domain, kind, lifetime=PATIENCE)
        except (NXDOMAIN, NoAnswer):
            continue
        except (DNSException, OSError):
            return None
        return True
    return False


@lru_cache(maxsize=1)
def _resolver() -> Resolver:
    import dns.resolver

    return dns.resolver.get_default_resolver()

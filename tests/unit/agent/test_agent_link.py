"""What may open the agent, and to whom it then speaks."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from tabellion_agent.__main__ import _arguments
from tabellion_agent.errors import BadLink
from tabellion_agent.link import Link
from tabellion_agent.settings import Settings, place

AGENT = Path(__file__).parents[3] / "agent" / "tabellion_agent"
ENTRY = AGENT.parent / "tabellion-agent.desktop"


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("tabellion-agent://plateforme.example/?ticket=abc", "https://plateforme.example"),
        ("tabellion-agent://plateforme.example:8443/signer?ticket=abc", "https://plateforme.example:8443"),
        ("tabellion-agent://localhost:8000/?ticket=abc", "https://localhost:8000"),
        ("tabellion-agent://[2001:db8::1]:8443/?ticket=abc", "https://[2001:db8::1]:8443"),
        ("tabellion-agent://plаteforme.example/?ticket=abc", "https://xn--plteforme-1yh.example"),
    ],
)
def test_a_link_leads_to_https(text: str, origin: str) -> None:
    assert Link.read(text) == Link(origin, "abc")


@pytest.mark.parametrize(
    ("host", "scheme"),
    [("127.0.0.1", "http"), ("localhost", "http"), ("plateforme.example", "https"), ("localhost.example", "https")],
)
def test_only_this_very_machine_may_be_spoken_to_without_encryption_and_only_when_told(host: str, scheme: str) -> None:
    text = f"tabellion-agent://{host}:8000/?ticket=abc"
    assert Link.read(text, insecure_localhost=True).origin == f"{scheme}://{host}:8000"
    assert Link.read(text).origin == f"https://{host}:8000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://plateforme.example/?ticket=abc",
        "tabellion-agent:///?ticket=abc",
        "tabellion-agent://plateforme.example/",
        "tabellion-agent://plateforme.example/?ticket=",
        "tabellion-agent://plateforme.example/?ticket=a&ticket=b",
        "tabellion-agent://plateforme.example:99999/?ticket=abc",
        "tabellion-agent://user@plateforme.example/?ticket=abc",
        "tabellion-agent://plateforme.example/?ticket=" + "a" * 600,
        "tabellion-agent://plateforme.example/?ticket=a%0d%0aX-Injected:%20yes",
        "tabellion-agent://[half/?ticket=abc",
        "tabellion-agent://plateforme.example\u202e/?ticket=abc",
        "tabellion-agent://plateforme.example%20--module/?ticket=abc",
        "tabellion-agent://plateforme..example/?ticket=abc",
    ],
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(BadLink, match="plateforme"):
        Link.read(text)


def test_an_address_passes_no_option_to_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = (one for one in ENTRY.read_text(encoding="utf-8").splitlines() if one.startswith("Exec="))
    monkeypatch.setattr(sys, "argv", [*line.removeprefix("Exec=").split()[:-1], "tabellion-agent://a.example/", "--trust-origin"])
    with pytest.raises(SystemExit):
        _arguments()


def test_a_ticket_does_not_show_in_a_representation() -> None:
    assert "abc" not in repr(Link.read("tabellion-agent://plateforme.example/?ticket=abc"))


def test_what_is_remembered_is_read_again_and_what_is_spoilt_means_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert Settings.load() == Settings()
    Settings(module="/opt/module.so").approve("https://plateforme.example")
    assert Settings.load() == Settings(["https://plateforme.example"], "/opt/module.so")
    for spoilt in ("", "[]", '{"origins": 3, "module": ""}', "\0"):
        place().write_text(spoilt, encoding="utf-8")
        assert Settings.load() == Settings()


def test_the_agent_stands_alone() -> None:
    allowed = {"tabellion_agent", "pkcs11", "cryptography"}
    floors = {"core", "schemas", "signing", "connectors", "archive", "flows", "api"}
    imported = set()
    for path in AGENT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(str(node.module).partition(".")[0])
    assert allowed <= imported
    assert not imported & floors
    assert not imported & {"asn1crypto", "urllib3", "requests", "socketserver"}

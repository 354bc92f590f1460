"""The name of a deposit."""

from __future__ import annotations

import dataclasses

import pytest
from paramiko import RSAKey

from connectors.helios.remote_name import RemoteName, Routing, remote_name, temporary_name
from connectors.helios.settings import CodFich, HeliosGateway
from core.errors import UsageError

SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
ROUTING = Routing(typ_fic="PESALR1", cod_col="123", id_post="045678", cod_bud="0A")


@pytest.fixture(scope="module")
def gateway() -> HeliosGateway:
    return HeliosGateway(
        host="sftp.example",
        username="ville",
        password="secret",
        host_key_algorithm="ssh-rsa",
        host_key=RSAKey.generate(2048).get_base64(),
        p_dest="VHPCE11",
    )


def test_the_metadata_travel_in_the_name_as_passtrans_wants_them(gateway: HeliosGateway) -> None:
    assert remote_name(gateway, ROUTING, SHA1) == f"VHPCE11%%THELPES2%%PES#123#045678#0A%%{SHA1}"


def test_codfich_can_be_the_type_of_the_flow(gateway: HeliosGateway) -> None:
    typed = gateway.model_copy(update={"cod_fich": CodFich.TYPFIC})
    assert "%%PESALR1#123#" in remote_name(typed, ROUTING, SHA1)


def test_a_name_reads_back_in_its_parts(gateway: HeliosGateway) -> None:
    name = RemoteName.parse(remote_name(gateway, ROUTING, SHA1))
    assert name == RemoteName("VHPCE11", "THELPES2", "PES", "123", "045678", "0A", SHA1)


def test_the_temporary_name_is_always_the_same_and_is_no_deposit(gateway: HeliosGateway) -> None:
    final = remote_name(gateway, ROUTING, SHA1)
    temporary = temporary_name(gateway, final)
    assert temporary == temporary_name(gateway, final) == final + ".part"
    assert RemoteName.parse(temporary) is None


@pytest.mark.parametrize("part", ["typ_fic", "cod_col", "id_post", "cod_bud"])
@pytest.mark.parametrize("value", ["", "a#b", "a%%b", "a/b", "..\\x", "a\x00", "a b", "é", "x" * 33])
def test_a_header_that_would_forge_another_name_is_refused(gateway: HeliosGateway, part: str, value: str) -> None:
    typed = gateway.model_copy(update={"cod_fich": CodFich.TYPFIC})
    with pytest.raises(UsageError):
        remote_name(typed, dataclasses.replace(ROUTING, **{part: value}), SHA1)


@pytest.mark.parametrize("sha1", ["", SHA1.upper(), SHA1[:-1], SHA1 + "0"])
def test_a_digest_of_another_form_is_refused(gateway: HeliosGateway, sha1: str) -> None:
    with pytest.raises(UsageError):
        remote_name(gateway, ROUTING, sha1)

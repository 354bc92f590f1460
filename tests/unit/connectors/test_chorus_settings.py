"""What is configured to speak to Chorus Pro, and what is refused before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.chorus import errors
from connectors.chorus.client import Chorus
from connectors.chorus.settings import ChorusAccount, ChorusOperator
from core.configuration import revealed

OPERATOR = {"client_id": "application", "client_secret": "s3cret"}
ACCOUNT = {"login": "TECH_1@cpro.fr", "password": "p:w"}


def test_hosts_are_those_of_the_environment_unless_others_are_given() -> None:
    sandbox = ChorusOperator.model_validate(OPERATOR)
    production = ChorusOperator.model_validate(OPERATOR | {"environment": "production"})
    other = ChorusOperator.model_validate(OPERATOR | {"service_address": "https://api.example/"})
    assert (sandbox.tokens, sandbox.services) == (
        "https://sandbox-oauth.piste.gouv.fr/api/oauth/token",
        "https://sandbox-api.piste.gouv.fr",
    )
    assert (production.tokens, production.services) == (
        "https://oauth.piste.gouv.fr/api/oauth/token",
        "https://api.piste.gouv.fr",
    )
    assert (other.tokens, other.services) == (sandbox.tokens, "https://api.example")


def test_secrets_do_not_show_and_survive_being_stored() -> None:
    operator, account = ChorusOperator.model_validate(OPERATOR), ChorusAccount.model_validate(ACCOUNT)
    assert "s3cret" not in repr(operator)
    assert "p:w" not in repr(account)
    assert ChorusOperator.model_validate_json(json.dumps(revealed(operator.model_dump()))) == operator
    assert ChorusAccount.model_validate_json(json.dumps(revealed(account.model_dump()))) == account


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"client_id": "a\nb"},
        {"client_secret": ""},
        {"scope": "é"},
        {"token_address": "http://127.0.0.1/token"},
        {"token_address": "https://a:b@oauth.example/token"},
        {"service_address": "https://"},
        {"service_address": "https://api.example/?x=1"},
        {"authorities": "-----BEGIN CERTIFICATE-----"},
        {"calls_per_second": 0},
        {"calls_in_parallel": 0},
        {"read_timeout": 0},
        {"unknown": 1},
    ],
)
def test_an_application_that_could_not_be_used_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChorusOperator.model_validate(OPERATOR | changes)


@pytest.mark.parametrize(
    "changes", [{"login": ""}, {"login": "a:b"}, {"login": "a b"}, {"password": ""}, {"environment": "qualification"}]
)
def test_an_account_that_could_not_be_used_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChorusAccount.model_validate(ACCOUNT | changes)


def test_an_account_of_another_environment_is_refused_before_anything_is_sent() -> None:
    operator = ChorusOperator.model_validate(OPERATOR | {"environment": "production"})
    with pytest.raises(errors.EnvironmentMixed, match=r"sandbox.*production"):
        Chorus(operator, ChorusAccount.model_validate(ACCOUNT), lambda _: None)

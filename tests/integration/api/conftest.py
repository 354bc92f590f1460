"""The web service, once for all tests of the API."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from core.s3_server import S3Server
from tests.integration.api.service import Service, web_service


@pytest.fixture(scope="session")
def service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The running service."""
    with web_service(s3, tmp_path_factory.mktemp("web")) as running:
        yield running


@pytest.fixture
def software(service: Service) -> Iterator[httpx.Client]:
    """Finance software of the first collectivité, with every right."""
    with service.client(service.mairie.token) as client:
        yield client

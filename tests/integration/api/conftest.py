"""The web service, once for all tests of the API."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from core.principal import Right
from core.s3_server import S3Server
from tests.integration.api.acts_forms import somebody
from tests.integration.api.acts_mairie import ROLES, ActsMairie
from tests.integration.api.invoices_mairie import InvoicesMairie
from tests.integration.api.mails_office import MailsOffice, mails_office
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


@pytest.fixture(scope="session")
def acts_service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of their own for the pages of acts: what they configure changes what others would see."""
    with web_service(s3, tmp_path_factory.mktemp("acts")) as running:
        yield running


@pytest.fixture(scope="session")
def mairie(acts_service: Service) -> ActsMairie:
    """A mairie that is connected, with somebody of every role."""
    found = ActsMairie(acts_service.platform, acts_service.mairie.organisation)
    found.connect()
    for role, rights in ROLES.items():
        found.hire(role, rights)
    found.hire("exploitant", {Right.READ, Right.OPERATE}, above=True)
    return found


@pytest.fixture(scope="session")
def shelf(acts_service: Service) -> ActsMairie:
    """A mairie of its own, without a classification, whose list few fill."""
    shelved = ActsMairie(acts_service.platform, acts_service.syndicat.organisation)
    shelved.connect(classified=False)
    shelved.hire("liste", {Right.READ})
    return shelved


@pytest.fixture
def clerk(acts_service: Service, mairie: ActsMairie) -> Iterator[httpx.Client]:
    """The clerk of the mairie, signed in."""
    with somebody(acts_service, mairie.people["clerc"]) as client:
        yield client


@pytest.fixture(scope="session")
def invoices_service(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of their own for the pages of received invoices."""
    with web_service(s3, tmp_path_factory.mktemp("invoices")) as running:
        yield running


@pytest.fixture(scope="session")
def invoices_mairie(invoices_service: Service) -> InvoicesMairie:
    """A mairie that receives invoices, and tells Chorus Pro what it decides."""
    found = InvoicesMairie(invoices_service.platform, invoices_service.mairie.organisation)
    found.connect()
    found.hire("clerc", {Right.READ, Right.DEPOSIT})
    found.hire("lecteur", {Right.READ})
    return found


@pytest.fixture(scope="session")
def invoices_elsewhere(invoices_service: Service) -> InvoicesMairie:
    """Another organisation of the platform, whose list few fill, and which tells Chorus Pro nothing."""
    found = InvoicesMairie(invoices_service.platform, invoices_service.syndicat.organisation)
    found.connect(tell=False)
    found.hire("liste", {Right.READ, Right.DEPOSIT})
    return found


@pytest.fixture(scope="session")
def software_office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailsOffice]:
    """An office whose tracked mails are written by software, over the API and over the interface of Pastell."""
    with mails_office(s3, tmp_path_factory.mktemp("software-mails")) as opened:
        yield opened

"""Every way in which an exchange with an external parapheur can fail, as one tree.

core.errors.UnreadableInput
└── MessageUnreadable       what was received is no message of the service
core.errors.Unavailable
└── ParapheurUnavailable    network, time-out, half an answer, a fault of the server: try again later
core.errors.NeedsOperator
├── AccessRefused           user name, password, client certificate or rights refused
├── CertificateRefused      the server's certificate is not one that is trusted: nothing was sent
├── AnswerUnreadable        an answer that is none of the service
├── AnswerTooLarge          an answer beyond the limit was not read
└── RequestRefused          the parapheur refuses what it was asked
    └── SubmissionRefused   the parapheur refuses a dossier: type, metadata, document
core.errors.Misconfigured
└── AddressWrong            nothing of the service stands at the configured address
core.errors.NotFound
└── DossierMissing          the parapheur does not know the dossier, or no longer
core.errors.Conflict
├── RecallRefused           somebody acted on the dossier: it can no longer be taken back
└── NotEnded                the dossier's circuit has not come to its end: it can be neither fetched as signed nor closed

An address that the operator does not permit is ``core.addresses.AddressRefused``.
"""

from __future__ import annotations

from core.errors import Conflict, Misconfigured, NeedsOperator, NotFound, Unavailable, UnreadableInput


class MessageUnreadable(UnreadableInput):
    """What was received is no message of the service: not well-formed, too large, another namespace, a field that is wrong."""


class ParapheurUnavailable(Unavailable):
    """The parapheur does not answer, answers by half, or says that it cannot now: worth trying again."""


class AccessRefused(NeedsOperator):
    """The parapheur refuses the account, or the account lacks a right."""


class CertificateRefused(NeedsOperator):
    """The server shows a certificate that is not trusted: nothing was sent to it."""


class AnswerUnreadable(NeedsOperator):
    """What the server answered is no answer of the service: another version, or something in between."""


class AnswerTooLarge(NeedsOperator):
    """An answer is larger than the limit: it was not read to its end."""


class RequestRefused(NeedsOperator):
    """The parapheur refuses what it was asked, in its own words."""


class SubmissionRefused(RequestRefused):
    """The parapheur refuses a dossier: unknown type, metadata missing, a document that it does not take. Nothing was created."""


class AddressWrong(Misconfigured):
    """Nothing of the service stands at the configured address."""


class DossierMissing(NotFound):
    """The parapheur does not know the dossier: never submitted, erased, or archived."""


class RecallRefused(Conflict):
    """The dossier can no longer be taken back: somebody acted on it."""


class NotEnded(Conflict):
    """The circuit has not come to its end."""

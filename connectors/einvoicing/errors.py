"""Every way in which an exchange with a *plateforme agréée* can fail, as one tree.

core.errors.UsageError
└── FlowUnsendable          a flow that no platform takes: nothing was sent
core.errors.NotFound
└── FlowUnknown             the platform knows no such flow, or has no such form of it
core.errors.Unavailable
└── PlatformUnavailable     no answer, half of one, too many calls: try again later
core.errors.NeedsOperator
└── PlatformRefused         the platform refuses what it was asked: ``code``, ``wording``
"""

from __future__ import annotations

from core.errors import NeedsOperator, NotFound, Unavailable, UsageError
from core.messages import Catalogue

_messages = Catalogue("connectors.einvoicing")


class FlowUnsendable(UsageError):
    """The flow is one that no platform takes: nothing was sent."""


class FlowUnknown(NotFound):
    """The platform knows no such flow, or does not have it in the form asked for."""

    def __init__(self, flow_id: str) -> None:
        super().__init__(_messages("flow.unknown", flow=flow_id[:80]))


class PlatformUnavailable(Unavailable):
    """The platform does not answer, or says that it cannot now: worth trying again."""

    def __init__(self, platform: str) -> None:
        super().__init__(_messages("platform.unavailable", platform=platform))


class PlatformRefused(NeedsOperator):
    """The platform refuses what it was asked, in its own words.

    Attributes:
        code: its ``errorCode``.
        wording: its ``errorMessage``.
    """

    def __init__(self, platform: str, code: str, wording: str) -> None:
        super().__init__(_messages("platform.refused", platform=platform, code=code or "-", wording=wording[:500] or "-"))
        self.code, self.wording = code, wording

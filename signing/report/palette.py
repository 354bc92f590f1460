"""The colours of a report, the same on a screen and on paper."""

from __future__ import annotations

from signing.report.content import Tone

PALETTE = {
    "ink": "#14213d",
    "ink_2": "#3d4a66",
    "ink_3": "#5a6780",
    "paper": "#fbfaf7",
    "surface": "#ffffff",
    "line": "#dcd9d1",
}
TONES = {
    Tone.PLAIN: ("#14213d", "#ffffff"),
    Tone.GOOD: ("#17663f", "#e8f4ed"),
    Tone.DOUBT: ("#8a4b00", "#fdf3e1"),
    Tone.BAD: ("#a8261b", "#fcedeb"),
}
"""Ink and ground of each tone."""

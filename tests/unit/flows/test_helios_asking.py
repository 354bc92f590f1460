"""What people who sign are told of a PES before they open it, and what a decision table is."""

from __future__ import annotations

from flows.helios import asking


def test_a_reduction_is_taken_away_from_what_a_list_shows_and_counts_for_a_threshold() -> None:
    def bordereau(kind: str, amount: str | None) -> dict[str, object]:
        return {"domain": "depense", "pieces": 1, "typ_bord": kind, "mt_bord_ht": amount}

    facts = {"bordereaux": [bordereau("01", "100.50"), bordereau("02", "1000.00"), bordereau("01", None)]}
    summary = asking.summary_of(facts)
    assert (summary["amount"], summary["mandats"], summary["bordereaux"]) == ("-899.50", 3, 3)
    assert asking._fields(facts, summary)["pes.montant"] == "1100.50"

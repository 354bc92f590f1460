"""Seal, keep, prove, give back: records, the tree over the journal, and the evidence that outlives the platform."""

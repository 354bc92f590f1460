"""Seals and signatures of a PES: XAdES-EPES as the policy of the DGFiP has it."""

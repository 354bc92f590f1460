"""Documents to be looked at: pages as images, text, where a stamp goes, what was read. Knows nothing of rights."""

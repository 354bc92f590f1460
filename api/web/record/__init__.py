"""One sealed record and its proof."""

"""SAE: a sealed record is handed over to an archive service outside, and followed until it is accepted or refused there."""

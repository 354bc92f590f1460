"""“Envois vers un SAE”: transfers to archive services outside, what waits to be handed over, the service itself."""

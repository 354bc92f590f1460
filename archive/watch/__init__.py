"""Watching over what is kept: audits that read it all again, and incidents that somebody owns until they are mended."""

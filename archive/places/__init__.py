"""Where sealed packages are kept: the places, the copies in them, their locks."""

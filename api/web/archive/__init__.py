"""The pages of the archive: a sub-package each; here, what they share."""

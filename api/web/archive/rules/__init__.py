"""The pages of the referential of rules."""

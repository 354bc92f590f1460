"""The page of the register of holdings."""

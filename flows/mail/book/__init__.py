"""The address book of an organisation, and its templates of messages."""

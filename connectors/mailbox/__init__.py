"""Mailboxes that the platform reads by IMAP: the ministry's answers about acts, what comes back of its own mails."""

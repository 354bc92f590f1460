"""The recipients' pages of tracked mails: somebody who holds a link, without account; nobody else is known here."""

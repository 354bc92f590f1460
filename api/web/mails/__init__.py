"""“Courriers”: the list, the form that writes one, its follow-up, the address book, templates, and what came back."""

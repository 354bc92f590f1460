"""Our tracked mails behind the interface of Pastell, for its type ``mailsec``: software changes one address and nothing else.

Entities are our organisations, by numbers (``numbers.py``); documents are sends, by their identifiers; where one stands is told
in the states of the type (``standing.py``). Sentences that software compares are those of Pastell, in French whatever language
is asked for (``words.py``). What is asked for and not done here is refused in words, never passed over. Source of the interface:
its public code, version 4.0, and what its clients send.
"""

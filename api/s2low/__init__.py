"""Our acts and PES behind the interface of S2LOW: software that transmits through it changes one address and nothing else.

Answers are lines of text in ISO-8859-1, ``OK`` or ``KO`` first, or JSON in plain ASCII; about PES, XML (``helios.py``). Acts,
letters, answers and cancellations are transactions with numbers (``numbers.py``); where they stand is told in its statuses
(``statuses.py``). What is asked for and not done here is refused in words, never passed over. Source of the interface: its public
code and what its clients send.
"""

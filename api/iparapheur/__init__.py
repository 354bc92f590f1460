"""Our parapheur behind the legacy SOAP service of i-Parapheur: software that speaks it changes one address and nothing else.

The messages are those of ``connectors.iparapheur``, which speaks them from the other side. What is said in them word for word
(statuses, histories, notices) is French by the protocol, whatever language is asked for.
"""

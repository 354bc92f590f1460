"""An external i-Parapheur: our side, over its SOAP service or the REST service of version 5, and a simulator of it."""

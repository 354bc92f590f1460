"""The ministry's platform for acts (@CTES): archives leave over HTTPS with a client certificate, answers come back by mail."""

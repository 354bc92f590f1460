"""Mail that the platform sends to people, by SMTP through the operator's own server. What it says is decided above."""

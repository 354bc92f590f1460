"""What goes by mail and comes back: addresses, delivery reports, calendar events."""

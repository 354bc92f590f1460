"""The ground floor: what every room stands on, and which knows none of them."""

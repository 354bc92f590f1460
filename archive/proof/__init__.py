"""The journal's tree, its timestamped heads, and the evidence that leans on them."""

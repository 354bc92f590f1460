"""One room per outside system: our client, and beside it a simulator of the other side."""

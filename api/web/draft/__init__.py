"""The draft of a folder: what it says, what it holds, the circuit that it will take."""

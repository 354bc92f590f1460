"""What the faces share about acts: files as they come in, acts as they are found, their control and messages in words."""

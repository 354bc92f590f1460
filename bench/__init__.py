"""Benchmarks: each figure beside the raw ceiling of the same machine in the same run, since machines and hours differ."""

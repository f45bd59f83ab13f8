"""Benchmarks: methods on clips by one protocol, from a single file to one table and one page."""

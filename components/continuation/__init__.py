"""Continuation: what student and control start from, read from the push destination."""

"""Wanted becomes actual: `plan` decides and is pure; the other modules observe, carry out, record and publish.

Reads what users want and never writes it; writes what was observed. Knows no HTTP API, no pages and no permissions.
"""

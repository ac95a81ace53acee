"""Measurements: one module and one command for each table."""

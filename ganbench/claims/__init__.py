"""Decisions on a study's claims, computed from its numbers."""

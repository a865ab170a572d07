"""Scores of depth and poses against truth, and the tables made of them."""

"""Seeded furnished rooms with known depth and camera poses, for training and evaluation."""

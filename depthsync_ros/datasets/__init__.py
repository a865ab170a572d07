"""Readers of RGB-D datasets: one form for images, true depth, poses and calibration."""

"""Rendering without a display, whichever test imports mujoco first."""

import os

os.environ.setdefault('MUJOCO_GL', 'egl')  # read when mujoco is imported

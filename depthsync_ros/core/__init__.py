"""The method: windows, sampler, one scale, depth and poses. No ROS, no files, no diffusers."""

"""Bags without ROS: read a rosbag2, run the pipeline over it, write another."""

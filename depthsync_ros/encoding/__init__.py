"""From the core's arrays to the bytes that ROS messages carry; imports no ROS."""

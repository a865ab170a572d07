"""The `depthsync` command."""

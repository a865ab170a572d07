"""The networks: diffusers' blocks behind the core's Backbone."""

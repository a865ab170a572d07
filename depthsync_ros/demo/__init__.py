"""The demo: a packaged clip played into a live node, and what came out held against the truth."""

"""Write CREDITS.md: `python -m training.scenes.credits`."""

from pathlib import Path

from training.scenes.catalogue import credits_markdown, read_catalogues

if __name__ == '__main__':
    Path(__file__).with_name('CREDITS.md').write_text(credits_markdown(read_catalogues()))

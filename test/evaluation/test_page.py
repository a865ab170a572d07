"""The page in a real browser: what it shows, not what was written."""

import html
import json
from pathlib import Path
import re
import shutil
import subprocess

from backbones import FakeBackbone
import pytest
from tiny_video import SETTINGS, Wave

from depthsync_ros.evaluation.methods import PipelineMethod
from depthsync_ros.evaluation.protocol import evaluate, Protocol
from depthsync_ros.evaluation.render import render
from depthsync_ros.evaluation.strategies import strategy_settings

pytest.importorskip('matplotlib', reason='matplotlib is an optional extra')

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
# Runs in the page once everything is loaded and leaves what it finds in the title.
PROBE = """
<script>addEventListener('load', () => {
  const images = [...document.images];
  const broken = images.filter((image) => !image.complete || !image.naturalWidth);
  document.title = JSON.stringify({
    images: images.length, broken: broken.map((image) => image.src),
    tables: document.querySelectorAll('table').length,
    cells: [...document.querySelectorAll('td')].map((cell) => cell.textContent),
    wide: document.documentElement.scrollWidth > innerWidth});
});</script>
"""


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp('results')
    backbone = FakeBackbone(random_gauges=True)

    def methods(seed):
        names = ('baseline', 'post_scale')
        return [PipelineMethod(n, strategy_settings(SETTINGS, n), backbone) for n in names]

    rows = evaluate(
        Protocol('made_up', out, lengths=(6, 10)),
        [Wave(10).video('a <wave> & more')],
        methods,
        lambda progress: None,
    )
    render(rows, out)
    return out


def test_the_page_refers_only_to_files_that_are_there(results) -> None:
    text = (results / 'index.html').read_text()
    sources = [html.unescape(source) for source in re.findall(r'src="([^"]+)"', text)]

    assert len(sources) >= 6
    assert all((results / source).is_file() for source in sources)
    assert 'http' not in text, 'the page must work without a network'
    assert '<wave>' not in text


def test_what_matters_most_is_first_and_methods_stand_one_below_the_other(results) -> None:
    text = (results / 'index.html').read_text()
    titles = re.findall(r'<(?:h2|summary)>([^<]*)<', text)
    strips = re.findall(r'<figcaption>([^<]*)</figcaption>', text)

    assert titles[0].startswith('Methods')
    assert titles.index('Every result') == titles.index('Plots') - 1
    assert strips[:4] == [
        'baseline, frame 0 of 10',
        'post_scale, frame 0 of 10',
        'baseline, frame 4 of 10',
        'post_scale, frame 4 of 10',
    ]
    assert 'class="text">method' in text
    assert 'class="text">AbsRel' not in text


@pytest.mark.skipif(BROWSER is None, reason=f'none of {", ".join(BROWSERS)} is installed')
def test_a_browser_shows_every_picture_and_number(results) -> None:
    page = results / 'probed.html'
    page.write_text((results / 'index.html').read_text().replace('</body>', f'{PROBE}</body>'))

    found = browse(page)

    seen = json.loads(found)
    assert seen['broken'] == []
    assert seen['images'] >= 6
    assert seen['tables'] >= 3
    assert 'baseline' in seen['cells']
    assert any(re.fullmatch(r'0\.\d{3} / [01]\.\d{3}', cell) for cell in seen['cells'])


def browse(page: Path) -> str:
    """Open a file in the headless browser and give its title when it has loaded."""
    done = subprocess.run(
        [
            BROWSER,
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-dev-shm-usage',
            '--virtual-time-budget=10000',
            '--dump-dom',
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    (title,) = re.findall(r'<title>(.*?)</title>', done.stdout, re.DOTALL)
    return html.unescape(title)

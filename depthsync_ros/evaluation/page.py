"""The results page: one static HTML file beside the pictures it shows."""

from collections.abc import Sequence
import html
from pathlib import Path

from depthsync_ros.evaluation.results import Row
from depthsync_ros.evaluation.tables import Table

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: 0 0 1.5rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto }
figure { margin: 0 0 1rem } figcaption { color: #555; font-size: .9em }
img { max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { body { color: #e6e6e6; background: #161616 }
  th, td { border-color: #444 } .plot { background: #fff } figcaption { color: #aaa } }
"""


def write_page(
    rows: Sequence[Row], tables: Sequence[Table], plots: Sequence[str], out: Path
) -> Path:
    """Write index.html into the folder of the results and return its path."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>Depth evaluation</title><style>{STYLE}</style></head><body>',
        f'<h1>Depth evaluation</h1><p>{_summary(rows)}</p>',
    ]
    parts += [_table(table) for table in tables]
    parts += ['<h2>Plots</h2>'] if plots else []
    parts += [_figure(plot, Path(plot).stem, 'plot') for plot in plots]
    parts.append('<h2>Sequences</h2>')
    for sequence in dict.fromkeys(str(row['sequence']) for row in rows):
        parts.append(_sequence(sequence, [row for row in rows if row['sequence'] == sequence]))
    parts.append('</body></html>\n')
    page = out / 'index.html'
    page.write_text('\n'.join(parts), encoding='utf-8')
    return page


def _summary(rows: Sequence[Row]) -> str:
    count = len({row['sequence'] for row in rows})
    methods = ', '.join(dict.fromkeys(str(row['method']) for row in rows))
    return html.escape(
        f'{len(rows)} results on {count} sequences; methods: {methods}. '
        'Alignment, settings and frame counts of each are in results.jsonl.'
    )


def _table(table: Table) -> str:
    head = ''.join(f'<th>{html.escape(cell)}</th>' for cell in table.head)
    body = ''.join(
        '<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>'
        for row in table.body
    )
    return (
        f'<h2>{html.escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr>'
        f'</thead><tbody>{body}</tbody></table></div>'
    )


def _sequence(name: str, rows: Sequence[Row]) -> str:
    """Show the longest result of each method: pictures, and what has to be known of it."""
    parts = [f'<h3>{html.escape(name)}</h3>']
    longest: dict[str, Row] = {}
    for row in rows:
        best = longest.get(str(row['method']))
        if best is None or row['frames'] > best['frames']:
            longest[str(row['method'])] = row
    parts.append('<p>Colour, true depth, depth after alignment, relative error (0 to 50 %).</p>')
    for method, row in longest.items():
        missing = f', {row["missing_frames"]} missing' if row.get('missing_frames') else ''
        caption = f'{method}, {row["frames"]} frames{missing}'
        parts += [_figure(file, caption, 'strip') for file in row.get('pictures', ())]
        if row.get('notes'):
            notes = ''.join(f'<li>{html.escape(str(note))}</li>' for note in row['notes'])
            parts.append(f'<details><summary>{method}: notes</summary><ul>{notes}</ul></details>')
    return '\n'.join(parts)


def _figure(file: str, caption: str, kind: str) -> str:
    caption = html.escape(caption)
    return (
        f'<figure><img class="{kind}" src="{html.escape(file)}" alt="{caption}">'
        f'<figcaption>{caption}</figcaption></figure>'
    )

"""The results page: one static HTML file beside the pictures it shows."""

from collections.abc import Sequence
import html
from itertools import zip_longest
from pathlib import Path

from depthsync_ros.evaluation.results import Row
from depthsync_ros.evaluation.tables import BY_METHOD, counted, EVERY_RESULT, IN_PAIRS, Table

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: 0 0 1.5rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: right }
th.text, td.text { text-align: left }
summary { cursor: pointer; margin: 1rem 0 }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem }
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
    parts += [_table(table) for table in sorted(tables, key=_rank)]
    if plots:
        figures = (_figure(plot, 'plot', alt=Path(plot).stem) for plot in plots)
        parts.append(f'<h2>Plots</h2><div class="plots">{"".join(figures)}</div>')
    parts.append('<h2>Sequences</h2>')
    for sequence in dict.fromkeys(str(row['sequence']) for row in rows):
        parts.append(_sequence(sequence, [row for row in rows if row['sequence'] == sequence]))
    parts.append('</body></html>\n')
    page = out / 'index.html'
    page.write_text('\n'.join(parts), encoding='utf-8')
    return page


def _rank(table: Table) -> int:
    """Put what matters most first, and the long table of every result last."""
    first = (BY_METHOD, IN_PAIRS)
    if table.title == EVERY_RESULT:
        return len(first) + 1
    return next((i for i, title in enumerate(first) if table.title.startswith(title)), len(first))


def _summary(rows: Sequence[Row]) -> str:
    def names(field: str) -> str:
        return ', '.join(dict.fromkeys(str(row[field]) for row in rows if field in row))

    return html.escape(
        f'{len(rows)} results on {counted(len({row["sequence"] for row in rows}), "sequence")} '
        f'({names("dataset")}); methods: {names("method")}; depth aligned by: '
        f'{names("alignment")}; scored up to {names("max_depth_m")} m. Less is better, but for δ '
        'and drift removed. Settings and frame counts of each result are in results.jsonl.'
    )


def _table(table: Table) -> str:
    kinds = ['' if numeric else ' class="text"' for numeric in table.numeric]

    def line(cells: Sequence[str], tag: str) -> str:
        pairs = zip(cells, kinds, strict=True)
        return ''.join(f'<{tag}{kind}>{html.escape(cell)}</{tag}>' for cell, kind in pairs)

    body = ''.join(f'<tr>{line(row, "td")}</tr>' for row in table.body)
    text = (
        f'<div class="wide"><table><thead><tr>{line(table.head, "th")}</tr></thead>'
        f'<tbody>{body}</tbody></table></div>'
    )
    title = html.escape(table.title)
    if table.title == EVERY_RESULT:
        return f'<details><summary>{title}</summary>{text}</details>'
    return f'<h2>{title}</h2>{text}'


def _sequence(name: str, rows: Sequence[Row]) -> str:
    """Show the longest result of each method: pictures, and what has to be known of it."""
    parts = [f'<h3>{html.escape(name)}</h3>']
    longest: dict[str, Row] = {}
    for row in rows:
        best = longest.get(str(row['method']))
        if best is None or row['frames'] > best['frames']:
            longest[str(row['method'])] = row
    parts.append('<p>Colour, true depth, depth after alignment, relative error (0 to 50 %).</p>')
    for files in zip_longest(*(row.get('pictures', ()) for row in longest.values())):
        for (method, row), file in zip(longest.items(), files, strict=True):
            if file:
                frame = int(Path(file).stem.rpartition('-')[2])
                parts.append(_figure(file, 'strip', f'{method}, frame {frame} of {row["frames"]}'))
    for method, row in longest.items():
        if row.get('missing_frames'):
            missing = counted(row['missing_frames'], 'frame')
            parts.append(f'<p>{html.escape(method)}: {missing} not delivered.</p>')
        if row.get('notes'):
            notes = ''.join(f'<li>{html.escape(str(note))}</li>' for note in row['notes'])
            title = f'{html.escape(method)}: {counted(len(row["notes"]), "note")}'
            parts.append(f'<details><summary>{title}</summary><ul>{notes}</ul></details>')
    return '\n'.join(parts)


def _figure(file: str, kind: str, caption: str = '', alt: str = '') -> str:
    below = f'<figcaption>{html.escape(caption)}</figcaption>' if caption else ''
    image = f'<img class="{kind}" src="{html.escape(file)}" alt="{html.escape(caption or alt)}">'
    return f'<figure>{image}{below}</figure>'

"""Draws a trace of computation and sending (`ablate train --trace`, `ablate plan --trace`) as a picture.

    python benches/trace.py trace.json docs/trace.svg --title "…"
"""

import argparse
import json
import pathlib
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT = 960, 34, 120
COMPUTE, SENT = "#4c78a8", "#e4572e"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--title", default="")
    options = parser.parse_args()
    events = json.loads(options.trace.read_text())["traceEvents"]
    rows = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    spans = [event for event in events if event["ph"] == "X"]
    first = min(event["ts"] for event in spans)
    length = max(event["ts"] + event["dur"] for event in spans) - first
    scale = (WIDTH - LEFT - 10) / length
    height = 40 + ROW * len(rows) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="14" fill="#222222">{escape(options.title)}</text>',
    ]
    for row, name in sorted(rows.items()):
        parts.append(f'<text x="10" y="{40 + ROW * row + 20}" fill="#222222">{escape(name)}</text>')
    for event in spans:
        x, y, width = LEFT + scale * (event["ts"] - first), 40 + ROW * event["tid"], max(scale * event["dur"], 0.5)
        colour = COMPUTE if rows[event["tid"]] == "compute" else SENT
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 6}" fill="{colour}" stroke="#ffffff" stroke-width="0.5">'
            f'<title>{escape(event["name"])}: {event["dur"] / 1e3:.2f} ms</title></rect>'
        )
        if width > 7 * len(event["name"]):
            parts.append(f'<text x="{x + 4:.1f}" y="{y + 18}" fill="#ffffff">{escape(event["name"])}</text>')
    parts.append(f'<text x="{LEFT}" y="{height - 8}" fill="#222222">0</text>')
    parts.append(f'<text x="{WIDTH - 10}" y="{height - 8}" text-anchor="end" fill="#222222">{length / 1e3:.1f} ms</text>')
    options.picture.write_text("\n".join([*parts, "</svg>", ""]))


if __name__ == "__main__":
    main()

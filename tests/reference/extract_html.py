"""Lines of the pages in `tests/data/fixtures/extract/html`, from a tree that html5lib builds as browsers do.

    python extract_html.py        writes the .txt beside each .html
    python extract_html.py check  compares with what is committed

Needs `beautifulsoup4` and `html5lib`. Texts are those of BeautifulSoup's `get_text` on the parts of blocks between other blocks; white
space collapses except in `<pre>`, cells are separated by tabs.
"""

import pathlib
import re
import sys

import bs4

FOLDER = pathlib.Path(__file__).parent.parent / "data" / "fixtures" / "extract" / "html"
BLOCKS = """address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5
h6 header hr legend li main menu nav ol optgroup option p pre search section summary table tbody tfoot thead title tr ul""".split()
UNSEEN = "annotation audio canvas datalist iframe noembed noframes noscript object script style svg template textarea video".split()


def hidden(node):
    style = re.sub(r"\s", "", node.get("style", "")).lower()
    return node.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style


def walk(node, pre, out):
    for child in node.children:
        if isinstance(child, (bs4.Comment, bs4.Doctype, bs4.Declaration, bs4.ProcessingInstruction)):
            continue
        if isinstance(child, bs4.NavigableString):
            out.append(child.replace("\xa0", " ") if pre else re.sub("[ \t\r\n\f\xa0]+", " ", child))
            if pre and out[-1]:
                out[-1] = ("PRE", out[-1])
        elif child.name in UNSEEN or hidden(child):
            continue
        elif child.name == "br":
            out.append(("BREAK",))
        elif child.name in BLOCKS:
            out.append(("LINE",))
            walk(child, pre or child.name == "pre", out)
            out.append(("LINE",))
        else:
            if child.name in ("td", "th"):
                out.append(("CELL",))
            walk(child, pre, out)


def lines(html):
    parts = []
    walk(bs4.BeautifulSoup(html, "html5lib"), False, parts)
    done, line, raw = [], "", False
    for part in parts + [("LINE",)]:
        if isinstance(part, str):
            line += part.lstrip() if line.endswith((" ", "\t")) or not line else part
        elif part[0] == "PRE":
            line, raw = line + part[1], True
        elif part[0] == "CELL":
            line = line.rstrip() + "\t" if line.strip() else ""
        else:
            line = line.rstrip() if raw else line.strip()
            done += [line] if line else []
            line, raw = "", False
    return "\n".join(done) + "\n"


if __name__ == "__main__":
    for page in sorted(FOLDER.glob("*.html")):
        text, path = lines(page.read_text()), page.with_suffix(".txt")
        if sys.argv[1:] == ["check"]:
            assert path.read_text() == text, path
        else:
            path.write_text(text)

"""What mwparserfromhell's `strip_code` makes of the pieces in `tests/data/fixtures/extract/wikitext/simple.txt`.

    python extract_wikitext.py        writes simple.json
    python extract_wikitext.py check  compares with what is committed

Needs `mwparserfromhell` 0.7.2. Only pieces on which both are meant to agree; `tests.rs` beside the extractor lists where they differ.
"""

import json
import pathlib
import sys

import mwparserfromhell

FOLDER = pathlib.Path(__file__).parent.parent / "data" / "fixtures" / "extract" / "wikitext"
PATH = FOLDER / "simple.json"

if __name__ == "__main__":
    pieces = (FOLDER / "simple.txt").read_text().split("----8<----\n")
    made = [{"wikitext": piece, "text": mwparserfromhell.parse(piece).strip_code()} for piece in pieces]
    if sys.argv[1:] == ["check"]:
        assert json.loads(PATH.read_text()) == made
    else:
        PATH.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n")

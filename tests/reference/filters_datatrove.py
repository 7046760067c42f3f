"""Decisions of datatrove's filters over documents written for this project, for src/data/pipeline/filter/agreement.rs.

    python filters_datatrove.py              writes ../data/fixtures/filters/datatrove.jsonl and spacy.json
    python filters_datatrove.py judge FILE   prints the decisions over other documents, one JSON string a line

Needs datatrove 0.10.1 and spaCy 3.8 (the tokenizer that datatrove takes for English), and C4's own code,
`tensorflow_datasets/text/c4_utils.py` of tensorflow-datasets 4.9.10, at the path C4_UTILS: it runs here without TensorFlow, and
with datatrove's sentences, as its own come from a model that has to be downloaded. The documents are drawn with a fixed seed
from words and phrases below, so that every threshold has documents on both of its sides.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import random
import re
import sys
from unittest import mock

import spacy
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4ParagraphFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.utils.text import PUNCTUATION, split_into_sentences, split_into_words
from spacy.attrs import ORTH
from spacy.lang import char_classes

FIXTURES = pathlib.Path(__file__).parent.parent / "data" / "fixtures" / "filters"
COUNT, SEED = 315, 6

NOUNS = "river bridge engine market garden letter winter window doctor harbour teacher village mountain station kitchen painter forest bottle winner council method number reader signal summer valley worker yellow".split()
VERBS = "builds crosses finds keeps leaves opens paints reaches sells turns watches writes carries follows gathers measures".split()
SMALL = "the a of to and that with have be in on for it is was not by from this they".split()
ODD = [
    "e.g.", "i.e.", "Dr. Roe", "U.S.", "can't", "isn’t", "they'll", "co-worker", "well-known", "3.5", "1,000", "10%", "$5", "5km", "2nd", "C++", "and/or", ":-)", "(see below)", "“quoted”",
    "'single'", "http://www.example.com/a?b=c", "example.org", "a@b.example", "jane.roe+x@mail.example.org", "8.8.8.8", "10.0.0.1", "192.168.1.300", "1.2.3.4.5", "#tag", "[12]", "[edit]",
    "[citation needed]", "[x]", "naïve", "Привет", "日本語。", "…", "...", "--", "—", "x=y", "1+2", "9am", "a.m.", "dogs'", "😀", "½", "Ⅳ", "vs.", "Ph.D.", "word\u00a0word", "tab\tbed", "ma'am",
    "rock'n'roll", "cannot", "gonna", "°C.", "v1.2-rc", "snake_case", "CamelCase", "<b>", "&amp;", "¿qué?", "fig. a", "no. 7",
]
LINES = ["Home", "Contact us", "Share this", "Read more...", "Terms of use", "We use cookies on this site.", "Please enable JavaScript now.", "Menu | Login", "All rights reserved", "Continue reading…", "2023-01-05", "* * *", "----", "•", "- item", "Page 1 of 3.", "Lorem ipsum dolor sit amet.", "function() { return 1; }", "It is {not} code here.", "He said 'so it is.'", "Next\u2028Line", "a\x0bb\x0cc."]


class Writer:
    def __init__(self, seed):
        self.draw = random.Random(seed)

    def words(self, count):
        some = []
        for _ in range(count):
            kind = self.draw.random()
            some.append(self.draw.choice(SMALL if kind < 0.5 else NOUNS if kind < 0.78 else VERBS if kind < 0.97 - self.odd else ODD))
        return some

    def sentence(self):
        text = " ".join(self.words(self.draw.randint(2, 14)))
        text = text[:1].upper() + text[1:]
        return text + self.draw.choices([".", "!", "?", '."', "...", "…", "", ".[3]", "'", ":", "。"], [60, 4, 4, 3, 2, 1, self.open, 2, 2, 2, 1])[0]

    def line(self):
        kind = self.draw.random()
        if kind < self.menu:
            return self.draw.choice(LINES)
        if kind < self.menu + self.bullets:
            return self.draw.choice(["- ", "• ", "  - ", "* "]) + " ".join(self.words(self.draw.randint(1, 6)))
        return " ".join(self.sentence() for _ in range(self.draw.randint(1, 3)))

    def document(self):
        pick = self.draw.choice
        self.odd, self.open = pick([0, 0.02, 0.05, 0.3]), pick([2, 2, 30])
        self.menu, self.bullets = pick([0, 0, 0.03, 0.1, 0.6]), pick([0, 0, 0.1, 0.9])
        lines = [self.line() for _ in range(pick([1, 2, 3, 4, 6]))]
        for _ in range(pick([0, 0, 0, 1, 2, 4])):
            lines.insert(self.draw.randrange(len(lines) + 1), pick(lines))
        if self.draw.random() < 0.15:
            phrase = " ".join(self.words(self.draw.randint(2, 12)))
            lines.append(" ".join([phrase + pick([" ", ". "])] * self.draw.randint(2, 9)))
        text = pick(["\n", "\n", "\n\n", "\n\n\n", " \n", "\r\n"]).join(lines)
        if self.draw.random() < 0.1:
            text = text + pick(["\n", " ", "\n\n  ", " #" * 9, " ..." * 7, " 12 34 56" * 9])
        if self.draw.random() < 0.04:
            text = " ".join(text.split())
        return text


def hashed(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decision(rules, text):
    document = Document(text=text, id="0")
    try:
        kept = rules.filter(document)
    except ZeroDivisionError:
        return "divides by zero"
    return changed(text, document.text) if kept is True else "drop " + kept[1]


def changed(before, after):
    return "keep" if after == before else hashed(after)


FILTERS = {
    "c4": C4QualityFilter(),
    "c4_strict": C4QualityFilter(min_num_sentences=3, min_words_per_line=5),
    "c4_paragraphs": C4ParagraphFilter(),
    "gopher_quality": GopherQualityFilter(),
    "gopher_quality_loose": GopherQualityFilter(min_doc_words=10, min_avg_word_length=2, max_non_alpha_words_ratio=0.6, min_stop_words=1),
    "gopher_repetition": GopherRepetitionFilter(),
    "gopher_repetition_loose": GopherRepetitionFilter(dup_line_frac=0.9, dup_para_frac=0.9, dup_line_char_frac=0.9, dup_para_char_frac=0.9, top_n_grams=((2, 0.9), (3, 0.9), (4, 0.9))),
    "fineweb": FineWebQualityFilter(),
    "fineweb_loose": FineWebQualityFilter(short_line_thr=0.99, char_duplicates_ratio=0.5),
}


for name in ["absl", "tensorflow_datasets", "tensorflow_datasets.core.utils.lazy_imports_utils", "tensorflow_datasets.public_api"]:
    sys.modules[name] = mock.MagicMock()
spec = importlib.util.spec_from_file_location("c4_utils", os.environ["C4_UTILS"])
c4_utils = sys.modules["c4_utils"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(c4_utils)
c4_utils._get_sentences = split_into_sentences


def original_c4(text):
    dropped = []
    pages = list(c4_utils.get_clean_page_fn()(c4_utils.PageFeatures(text=text), counter_inc_fn=dropped.append))
    return changed(text, pages[0].text) if pages else "drop " + dropped[-1]


# Three lines of 200 characters are more than the documents here have.
FILTERS["c4_paragraphs"].min_paragraph_len = 60


def judge(text):
    words = split_into_words(text)
    case = {"tokens": hashed("\n".join(words)), "sentences": len(split_into_sentences(text)) if text else 0}
    case |= {name: decision(rules, text) for name, rules in FILTERS.items()}
    case["c4_jmlr"] = original_c4(text)
    case["pii"] = changed(text, PIIFormatter().format(text))
    return case


def main():
    if sys.argv[1:2] == ["judge"]:
        for line in open(sys.argv[2]):
            print(json.dumps(judge(json.loads(line))))
        return
    FIXTURES.mkdir(parents=True, exist_ok=True)
    writer = Writer(SEED)
    with open(FIXTURES / "datatrove.jsonl", "w") as out:
        # The first line names the columns.
        out.write(json.dumps(["text", *judge("")]) + "\n")
        for text in ["", "\n", " ", "x", "Hello."] + [writer.document() for _ in range(COUNT)]:
            out.write(json.dumps([text, *judge(text).values()], ensure_ascii=False) + "\n")
    rules = spacy.blank("en").tokenizer.rules
    exceptions = sorted("|".join(token[ORTH] for token in tokens) for key, tokens in rules.items() if not key.isspace())
    facts = {"exceptions": len(exceptions), "hash": hashed("\n".join(exceptions)), "symbols": "".join(sorted(set(PUNCTUATION)))}
    for name in ["ALPHA", "ALPHA_LOWER", "ALPHA_UPPER", "ICONS"]:
        within = re.compile("[" + getattr(char_classes, name) + "]").match
        codes = [str(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and within(chr(code))]
        facts[name] = [len(codes), hashed(" ".join(codes))]
    ends = {"QUOTES": char_classes.LIST_QUOTES, "ENDS": char_classes.LIST_QUOTES + char_classes.LIST_PUNCT + ["—", "–"]}
    for name, listed in ends.items():
        codes = [str(code) for code in sorted({ord(text) for text in listed if len(text) == 1 and not text.isascii()})]
        facts[name] = [len(codes), hashed(" ".join(codes))]
    (FIXTURES / "spacy.json").write_text(json.dumps(facts) + "\n")


main()

"""Generated text for `data.py`: documents of the web as JSON lines, the same for the same seed.

    python benches/text.py --mb 10 --out text.jsonl
    python benches/text.py --mb 10 --out languages.jsonl --kind languages
    python benches/text.py --mb 10 --out pages.jsonl --kind pages

Words of a made-up language follow Zipf's law, and phrases come again, so that n-grams do. A document has lines of sentences, menus,
notes about cookies; some are lists, code or one line over and over, some are copies or near-copies of one shortly before: rules
and deduplication find what they look for. `languages` labels documents in six alphabets; `pages` is HTML around them.
"""

import argparse
import collections
import html
import itertools
import json
import random

STOP_WORDS = "the of and to a in is that it for was with be as have on by not this are at from or which but had".split()
# Label: consonants, vowels.
ALPHABETS = {
    "en": ("b c d f g h k l m n p r s t v w th st ch".split(), "a e i o u ea ou".split()),
    "de": ("b d f g h k l m n r s t w z sch ch ß pf".split(), "a e i u ä ö ü ei ie au".split()),
    "fr": ("b c d f g j l m n p qu r s t v".split(), "a e é è i o u eau ai oi ou".split()),
    "pl": ("b c d k ł l m n p r s t w z sz cz rz ś ż".split(), "a e i o u y ą ę ó".split()),
    "ru": ("б в г д ж з к л м н п р с т х ч ш".split(), "а е и о у ы я ю".split()),
    "el": ("β γ δ θ κ λ μ ν π ρ σ τ φ χ".split(), "α ε η ι ο υ ω ου ει".split()),
}
MENUS = ["Home | About us | Contact | Sitemap", "Share this on social media", "Skip to content", "Log in or sign up", "Previous Next"]
NOTES = [
    "This site uses cookies to make your visit better.",
    "Please enable Javascript in your browser to see comments.",
    "By going on you agree to our terms of use and our privacy policy.",
    "All rights reserved, no part may be reproduced without permission.",
]
MARKUP = ["<b>{0}</b>", '<a href="/wiki/{1}?from=page&amp;to=other">{0}</a>', "<em>{0}</em>&nbsp;"]


class Language:
    """Draws words and phrases, the frequent ones often."""

    def __init__(self, label, words=100_000, phrases=30_000):
        draw = random.Random(f"language {label}")
        consonants, vowels = ALPHABETS[label]
        lexicon = list(STOP_WORDS) if label == "en" else []
        known = set(lexicon)
        while len(lexicon) < words:
            # The frequent words are the short ones.
            syllables = 1 + min(len(lexicon) // 400, 1) + draw.randrange(1 + min(len(lexicon) // 4000, 2) + 1)
            word = "".join(draw.choice(consonants) + draw.choice(vowels) for _ in range(syllables)) + draw.choice(consonants + [""] * 20)
            if word not in known:
                known.add(word)
                lexicon.append(word)
        numbers = [str(draw.randrange(10_000)) for _ in range(60)] + [f"{draw.random() * 100:.1f}" for _ in range(20)]
        numbers += ["[1]", "$20", "e.g.", "can't"]
        weights = [1 / (rank + 2.7) for rank in range(words)]
        zipf = list(itertools.accumulate(weights))
        lengths = [2 + draw.randrange(5) for _ in range(phrases)]
        drawn = iter(draw.choices(lexicon, cum_weights=zipf, k=sum(lengths)))
        joined = [" ".join(itertools.islice(drawn, length)) for length in lengths]
        self.units = lexicon + numbers + joined
        some = [sum(weights) * 0.02 / len(numbers)] * len(numbers)
        again = [1 / (rank + 30) for rank in range(phrases)]
        scale = sum(weights) * 0.2 / sum(again)
        self.weights = list(itertools.accumulate(weights + some + [weight * scale for weight in again]))

    def lines(self, draw):
        """The lines of a document."""
        counts = [[4 + int(draw.random() * 12) for _ in range(1 + int(draw.expovariate(0.5)))] for _ in range(2 + int(draw.expovariate(0.12)))]
        units = iter(draw.choices(self.units, cum_weights=self.weights, k=sum(map(sum, counts))))
        lines = []
        for line in counts:
            sentences = []
            for length in line:
                words = list(itertools.islice(units, length))
                if length > 9:
                    words[4] += ","
                sentence = " ".join(words)
                sentences.append(sentence[0].upper() + sentence[1:] + draw.choice("......?!"))
            lines.append(" ".join(sentences))
        return lines


def web(seed, label="en"):
    """Texts without end."""
    language, draw, before = Language(label), random.Random(seed), collections.deque(maxlen=64)
    while True:
        kind, lines = draw.random(), language.lines(draw)
        if kind < 0.03 and before:
            lines = list(draw.choice(before))
        elif kind < 0.08 and before:
            lines = list(draw.choice(before))
            at = draw.randrange(len(lines))
            words = lines[at].split(" ")
            words[draw.randrange(len(words))] = "changed"
            lines[at] = " ".join(words)
        elif kind < 0.10:
            lines = ["function show(item) { return item.value; }", *lines]
        elif kind < 0.12:
            lines = [f"- {line[:20]} ..." for line in lines]
        elif kind < 0.13:
            lines = [lines[0]] * (3 + len(lines))
        elif kind < 0.14:
            lines.insert(0, "Lorem ipsum dolor sit amet.")
        if draw.random() < 0.3:
            lines.insert(0, draw.choice(MENUS))
        if draw.random() < 0.2:
            lines.append(draw.choice(NOTES))
        before.append(lines)
        yield "\n".join(lines)


def page(text, draw):
    """A web page around a text: links before and after it, scripts and styles."""
    paragraphs = []
    for line in text.split("\n"):
        words = html.escape(line).split(" ")
        for _ in range(len(words) // 15):
            at = draw.randrange(len(words))
            words[at] = draw.choice(MARKUP).format(words[at], at)
        paragraphs.append(f'<p class="text-{len(words) % 7}">{" ".join(words)}</p>')
    links = "".join(f'<li class="menu-item item-{n}"><a href="/section/{n}" title="Section {n}">Section {n}</a></li>\n' for n in range(25))
    card = '<div class="card"><a href="/story/{0}"><img src="/images/{0}.jpg" alt=""><span>A story of others {0}</span></a></div>\n'
    related = "".join(card.format(n) for n in range(12))
    state = ",".join(f'"key{n}":{{"id":{draw.randrange(10**9)},"on":true}}' for n in range(60))
    style = "".join(f".menu-item.item-{n}{{margin:{n}px;color:#{n:03x}}}\n" for n in range(40))
    title = html.escape(" ".join(text.split()[:8]))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n<style>{style}</style>\n'
        f'<script>window.state={{{state}}};</script>\n<link rel="stylesheet" href="/main.css"></head>\n'
        f'<body class="home"><!-- header --><header><nav><ul>{links}</ul></nav></header>\n<main><article><h1>{title}</h1>\n'
        + "\n".join(paragraphs)
        + f'</article></main>\n<aside class="sidebar">{related}</aside>\n<footer><ul>{links}</ul><p>&copy; 2024 Example</p></footer></body></html>\n'
    )


def documents(kind="web", seed=1):
    """Objects of a text, without end."""
    draw = random.Random(seed)
    if kind == "languages":
        sources = {label: web(seed, label) for label in ALPHABETS}
        texts = ({"text": next(sources[label]), "language": label} for label in iter(lambda: draw.choice(list(sources)), None))
    elif kind == "pages":
        texts = ({"text": page(text, draw)} for text in web(seed))
    else:
        texts = ({"text": text} for text in web(seed))
    return ({"id": str(number), **document} for number, document in enumerate(texts))


def write(path, megabytes, kind="web", seed=1):
    """Writes documents until their texts have so many MB."""
    size = 0
    with open(path, "w", encoding="utf-8") as file:
        for document in documents(kind, seed):
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
            size += len(document["text"].encode())
            if size >= megabytes * 1e6:
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=float, default=10, help="of text")
    parser.add_argument("--out", required=True)
    parser.add_argument("--kind", choices=("web", "languages", "pages"), default="web")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write(options.out, options.mb, options.kind, options.seed)


if __name__ == "__main__":
    main()

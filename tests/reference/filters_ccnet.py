"""CCNet's normalisation of texts written for this project, for the tests of src/data/pipeline/filter/ccnet.rs.

    curl -O https://raw.githubusercontent.com/facebookresearch/cc_net/main/cc_net/text_normalizer.py   # bda555bd or 1341eec9; the one in cc_net 1.0.0 of PyPI is the same
    python filters_ccnet.py text_normalizer.py > ../data/fixtures/filters/ccnet.jsonl
"""

import importlib.util
import json
import random
import sys

TEXTS = [
    "", " ", "\t\n", "Plain words", "  Stripped, with 12 numbers and 3.5.  ", "TABS\tand\nbreaks\r\nof lines 2020",
    "É è Ü ñ Å ø ß İ I ı ſ K", "ΣΑΣ ΟΔΟΣ Σ", "Привет, МИР 5", "naïve Café déjà-vu", "e\u0301 combined a\u030a", "한국어 각", "日本語。、テスト「引用」《本》",
    "“quoted” ‘single’ «french» „german“", "dash – em — end…", "１２３ ４ x１", "٣٤٥ Arabic ۱۲ ९", "½ ² Ⅳ 𝟘𝟙", "％ ； ： ？ ！ （ ） ～ ．a．b 【x】 〈y〉 ━ ► ´ ’ ∶",
    "\x00\x01control\x1f\x7f\x80\x9f\u00a0end\u3000", "\u200bzero\u200dwidth\ufeff", "soft\u00adhyphen", "emoji 😀 👩‍💻 🇩🇪", "UPPER lower MiXeD 99 % of 100", "\u2028separator\u2029",
    "a\u0300\u0301\u0302b", "ǅ ǆ ﬁ ﬀ", "\x1c\x1dpadded\x1e", "नमस्ते ४२", "שָׁלוֹם 7", "ไทย ๑๒", "Ångström K 5", "--- *** ___ \\ ` ^ ~ | @ # $", "(a) [b] {c} <d>",
]
PIECES = list("aBÉß1２３٣.,。“”«»—–…１\t\n\x07 \u00a0\u0301Ωσ") + ["word ", "Δοκ", "２０"]


def main(path):
    spec = importlib.util.spec_from_file_location("text_normalizer", path)
    ccnet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ccnet)
    draw = random.Random(1)
    texts = TEXTS + ["".join(draw.choices(PIECES, k=draw.randint(3, 16))) for _ in range(60)]
    for text in texts:
        case = {
            "text": text,
            "normalised": ccnet.normalize(text),
            "digits": ccnet.normalize(text, numbers=False),
            "kept": ccnet.normalize(text, accent=False, punct=0),
            "key": ccnet.normalize_for_dedup(text),
        }
        assert case["key"] == ccnet.slow_normalize_for_dedup(text)
        print(json.dumps(case))


main(sys.argv[1])

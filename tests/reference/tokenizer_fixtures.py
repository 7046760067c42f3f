"""Writes tests/data/fixtures/tokenizer: small models of SentencePiece and ranks of tiktoken, with the ids that these programs give.

    pip install sentencepiece==0.2.3 tiktoken==0.14.0
    python tests/reference/tokenizer_fixtures.py

The text that the models are trained on is text.txt, written for this project.
"""

import base64
import io
import json
import pathlib

import sentencepiece
import tiktoken
from tiktoken._educational import bpe_train

FOLDER = pathlib.Path(__file__).parent.parent / "data" / "fixtures" / "tokenizer"
GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
GPT4 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""

# LLaMA's settings, as its tokenizer.model has them.
LLAMA = dict(
    model_type="bpe", character_coverage=0.99995, max_sentence_length=4192, max_sentencepiece_length=16,
    split_by_unicode_script=True, split_by_whitespace=True, split_by_number=True, split_digits=True,
    allow_whitespace_only_pieces=True, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=True,
    remove_extra_whitespaces=False, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
)

EDGES = [
    "", " ", "  ", "   ", "a", " a", "  a", "   a b   c    ", "\n", "\n\n", " \n", "\n ", "a\nb", "a\r\nb\r\n", "\t", "\tx", "x \t y",
    "hello world", "Hello, World!", "HELLO", "it's we'll THEY'RE I'D 'tis ''s 'ſ x'S", "can't've",
    "0", "12", "123", "1234567", "3.14159", "v1.2.3-rc4", "10 000", "１２３", "٣٤٥", "½ ² Ⅷ ㉛", "x1y2z3", "a 1  2   3",
    "Привет, мир!", "naïve café", "e\u0301te\u0301", "a\u0301\u0302b", "\u0301x", "日本語のテキスト。カタカナー", "中文English混合",
    "한국어 텍스트", "مرحبا بالعالم", "שלום", "नमस्ते दुनिया", "ไทย", "ﬁ ﬂ ① ™ ㎏", "🙂", "🙂🙂 👩\u200d👩\u200d👧 🇫🇷", "a🙂b",
    "▁", "▁▁a", " ▁ x", "a▁b", "</s>", "<s>", "<unk>", "<0x41>", "<s> a </s>", "[INST] x [/INST]", "<|endoftext|>", "<mask> and <sep>",
    "fn main() {\n    let x = 42;\n    println!(\"{}\", x);\n}\n", "if (a && b) || !c { return x->y; }", "====================", "-----\n-----",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababab", "the the the the", "x" * 100 + " " * 40 + "y",
    "https://example.org/a_b?c=d&e=%20f#g", "user@example.com", "C:\\path\\to", "\\frac{a}{b} + \\alpha", "<p class=\"x\">text</p>",
    "\u00a0nbsp\u00a0", "\u3000wide\u3000", "zero\u200bwidth", "\ufeffbom", "\u2028line\u2029para", "\u0085next", "a\u0000b\u0001", "\u001c\u001d",
    "soft\u00adhyphen", "Ａｆｕｌｌ ｗｉｄｔｈ", "ꜳ Ǆ ǅ ŉ ﷺ", "\U0010ffff\ue000", "trailing space ", "trailing newline\n", " both ", "a  \n  b",
    "don’t “quote” — dash… «x»", "mixed\tтабы и spaces  \r\n\r\n  end", "kelvin K ohm Ω µ",
]


def sentencepiece_models(text, edges):
    models = {
        "llama": dict(LLAMA, vocab_size=700),
        "llama_plain": dict(LLAMA, vocab_size=700, allow_whitespace_only_pieces=False),
        "bpe_user": dict(
            LLAMA, vocab_size=420, byte_fallback=False, user_defined_symbols=["<sep>", "<mask>", "▁x▁", "the"],
            remove_extra_whitespaces=True, allow_whitespace_only_pieces=False,
        ),
        "unigram": dict(
            model_type="unigram", vocab_size=420, byte_fallback=True, normalization_rule_tsv=str(FOLDER / "rules.tsv"),
        ),
        "unigram_identity": dict(
            model_type="unigram", vocab_size=340, normalization_rule_name="identity", remove_extra_whitespaces=False,
            user_defined_symbols=["<sep>", "th", "thex"], allow_whitespace_only_pieces=True, split_digits=True,
        ),
        "bpe_open": dict(
            LLAMA, vocab_size=600, split_by_whitespace=False, split_by_unicode_script=False, split_digits=False,
            add_dummy_prefix=False, treat_whitespace_as_suffix=False,
        ),
        "bpe_suffix": dict(LLAMA, vocab_size=600, treat_whitespace_as_suffix=True),
    }
    expected = {}
    for name, settings in models.items():
        buffer = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text.split("\n")), model_writer=buffer, num_threads=1, minloglevel=2, **settings
        )
        (FOLDER / f"{name}.model").write_bytes(buffer.getvalue())
        processor = sentencepiece.SentencePieceProcessor(model_proto=buffer.getvalue())
        ids = [processor.encode(edge) for edge in edges]
        expected[name] = {
            "vocab": processor.get_piece_size(), "bos": processor.bos_id(), "ids": ids,
            "text": processor.encode(text), "long": digest(processor.encode(text * 60)), "decoded": [processor.decode(row) for row in ids],
        }
    return expected


def digest(ids):
    """A number that depends on all ids and their order."""
    value = 0
    for token in ids:
        value = (value * 31 + token) % (2**31 - 1)
    return value


def ranks(text, edges):
    expected = {}
    for name, pattern in [("gpt2", GPT2), ("gpt4", GPT4)]:
        tokens = bpe_train(data=text, vocab_size=500, pat_str=pattern, visualise=None)
        lines = [base64.b64encode(token).decode() + f" {rank}\n" for token, rank in sorted(tokens.items(), key=lambda item: item[1])]
        encoding = tiktoken.Encoding(name=name, pat_str=pattern, mergeable_ranks=tokens, special_tokens={"<|endoftext|>": 500})
        if name == "gpt4":
            (FOLDER / "gpt4.tiktoken").write_text("".join(lines))
        expected[name] = {
            "words": [[found.decode("utf-8", "replace") for found in words(pattern, edge)] for edge in edges],
            "ids": [encoding.encode_ordinary(edge) for edge in edges], "text": encoding.encode_ordinary(text),
        }
    return expected


def words(pattern, text):
    import regex

    return [found.encode() for found in regex.findall(pattern, text)]


def main():
    text = (FOLDER / "text.txt").read_text(encoding="utf-8")
    write = lambda name, value: (FOLDER / name).write_text(json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n")
    write("edges.json", EDGES)
    write("sentencepiece.json", sentencepiece_models(text, EDGES))
    write("tiktoken.json", ranks(text, EDGES))


if __name__ == "__main__":
    main()

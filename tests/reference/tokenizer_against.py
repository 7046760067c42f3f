"""Trains SentencePiece on a text, encodes all of it, and writes models and ids: the other side of src/data/tokenizer/against.rs.

    python tokenizer_against.py TEXT OUT [SAMPLE_MEGABYTES] [VOCAB]
    python tokenizer_against.py TEXT OUT [SAMPLE_MEGABYTES] [VOCAB] --ablate target/release/ablate

TEXT is a file of documents separated by zero bytes, or a folder: then each file below it is a document, unpacked if it ends in .gz, that is
left out if it is no UTF-8 or the same as another. OUT gets, for each model, NAME.model and NAME.ids (for every document its number of
tokens, then the tokens, as 32-bit integers), and seconds.json.

With --ablate the program makes token shards of the same documents, by `data build`, and they are compared here; so are those of two
tokenizer.json, one that the library `tokenizers` trains (byte_level) and one that `ablate tokenizer train` does (ours). The exit code is
1 if a token differs; of unigram models one in ten thousand may (see `viterbi.rs` there).
"""

import argparse
import array
import collections
import gzip
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import time

import sentencepiece

LLAMA = dict(
    model_type="bpe", character_coverage=0.99995, max_sentence_length=4192, max_sentencepiece_length=16,
    split_by_unicode_script=True, split_by_whitespace=True, split_by_number=True, split_digits=True,
    allow_whitespace_only_pieces=True, byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=True,
    remove_extra_whitespaces=False, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
)
MODELS = {
    "llama": LLAMA,
    "unigram_llama": dict(LLAMA, model_type="unigram"),
    # SentencePiece's own defaults: nmt_nfkc, extra spaces removed.
    "unigram": dict(model_type="unigram", character_coverage=0.9995),
}
RECIPE = """
name = "against"
[[source]]
name = "text"
paths = ['{documents}']
[output]
tokenizer = '{model}'
"""


def read(path):
    if not path.is_dir():
        return path.read_bytes().decode().split("\0")
    texts = {}
    for file in sorted(file for file in path.rglob("*") if file.is_file() and not file.is_symlink()):
        content = file.read_bytes()
        try:
            text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
        except UnicodeDecodeError:
            continue
        if text and "\0" not in text:
            texts[text] = None
    return list(texts)


def write(path, rows):
    with open(path, "wb") as writer:
        for ids in rows:
            array.array("I", [len(ids), *ids]).tofile(writer)


def rows(path):
    numbers = array.array("I", path.read_bytes())
    at = 0
    while at < len(numbers):
        yield numbers[at + 1 : at + 1 + numbers[at]]
        at += 1 + numbers[at]


def sentencepieces(documents, sample, vocab, out):
    """Trains and encodes; seconds of both."""
    lines = [line for document in sample for line in document.split("\n")]
    seconds = {}
    for name, settings in MODELS.items():
        model = out / f"{name}.model"
        if not model.exists():
            start = time.monotonic()
            with open(model, "wb") as writer:
                sentencepiece.SentencePieceTrainer.train(
                    sentence_iterator=iter(lines), model_writer=writer, vocab_size=vocab, num_threads=2, minloglevel=2, **settings
                )
            seconds[f"train {name}"] = time.monotonic() - start
        processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
        start = time.process_time()
        write(out / f"{name}.ids", map(processor.encode, documents))
        seconds[f"encode {name}"] = time.process_time() - start
    return seconds


def hugging_face(documents, sample, vocab, ablate, out):
    """The same of tokenizer.json: one that `tokenizers` trains, and one that `ablate` does."""
    import tokenizers

    if not (out / "byte_level.json").exists():
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        shape = {"vocab_size": vocab, "initial_alphabet": alphabet, "special_tokens": ["<|endoftext|>"]}
        tokenizer.train_from_iterator(sample, tokenizers.trainers.BpeTrainer(show_progress=False, **shape))
        tokenizer.save(str(out / "byte_level.json"))
    if not (out / "ours.json").exists():
        text, folder = out / "sample.jsonl", out / "ours"
        text.write_text("".join(json.dumps({"text": document}) + "\n" for document in sample))
        subprocess.run([ablate, "tokenizer", "train", text, "--out", folder, "--set", f"vocab_size={vocab}"], check=True)
        shutil.copy(folder / "tokenizer.json", out / "ours.json")
    seconds = {}
    for name in ["byte_level", "ours"]:
        tokenizer = tokenizers.Tokenizer.from_file(str(out / f"{name}.json"))
        # A document that spells `</s>` is text about it.
        tokenizer.encode_special_tokens = True
        parts = (documents[start : start + 500] for start in range(0, len(documents), 500))
        start = time.process_time()
        found = (it.ids for part in parts for it in tokenizer.encode_batch_fast(part, add_special_tokens=False))
        write(out / f"{name}.ids", found)
        seconds[f"encode {name}"] = time.process_time() - start
    return seconds


def built(documents, model, ablate, out):
    """What the program makes of every document, in order, without the token that it begins with."""
    recipe, folder = out / "recipe.toml", out / "built"
    shutil.rmtree(folder, ignore_errors=True)
    recipe.write_text(RECIPE.format(documents=documents.resolve(), model=model.resolve()))
    subprocess.run([ablate, "data", "build", recipe, "--out", folder, "--json"], check=True, stdout=subprocess.DEVNULL)
    begin = set()
    for path in sorted((folder / "tokens").glob("*.idx")):
        index = path.read_bytes()
        kind, count = struct.unpack_from("<9x8xBQ", index)
        ids, at = array.array({8: "H", 4: "I"}[kind], path.with_suffix(".bin").read_bytes()), 0
        for length in struct.unpack_from(f"<{count}i", index, 34):
            begin.add(ids[at])
            yield ids[at + 1 : at + length]
            at += length
    assert len(begin) == 1, begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("sample", type=float, nargs="?", default=8, help="MB that tokenizers are trained on")
    parser.add_argument("vocab", type=int, nargs="?", default=8000)
    parser.add_argument("--ablate", help="the program, to compare with it here")
    options = parser.parse_args()
    documents, out = read(options.text), options.out
    out.mkdir(exist_ok=True)
    used, sample = 0, []
    # From all over the text: one that is ordered by language has all of them in every part.
    sizes = [len(document.encode()) for document in documents]
    step = max(1, int(sum(sizes) / (options.sample * 2**20))) if options.text.is_dir() else 1
    for document, size in zip(documents[::step], sizes[::step]):
        if used >= options.sample * 2**20:
            break
        used += size
        sample.append(document)
    seconds = sentencepieces(documents, sample, options.vocab, out)
    if options.ablate:
        seconds |= hugging_face(documents, sample, options.vocab, options.ablate, out)
    (out / "seconds.json").write_text(json.dumps(seconds) + "\n")
    if not options.ablate:
        return
    print(f"{len(documents)} documents, {sum(sizes) / 1e6:.1f} MB, {sum(map(len, documents)) / 1e6:.1f} M characters; {used / 1e6:.1f} MB trained on")
    path = out / "documents.jsonl"
    with open(path, "w") as writer:
        writer.writelines(json.dumps({"id": str(number), "text": document}) + "\n" for number, document in enumerate(documents))
    failed = False
    for model in [*(f"{name}.model" for name in MODELS), "byte_level.json", "ours.json"]:
        name, tokens, wrong, others = model.split(".")[0], 0, 0, 0
        theirs = rows(out / f"{name}.ids")
        for ours, expected in zip(built(path, out / model, options.ablate, out), theirs, strict=True):
            tokens += len(expected)
            if list(ours) != list(expected):
                wrong += 1
                others += (collections.Counter(expected) - collections.Counter(ours)).total()
        failed |= wrong > 0 if not name.startswith("unigram") else others > tokens // 10_000
        print(f"{model}: {tokens} tokens, {others} of them others, in {wrong} documents", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()

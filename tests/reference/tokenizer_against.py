"""Trains SentencePiece on a text, encodes all of it, and writes models and ids: the other side of src/data/tokenizer/against.rs.

    python tokenizer_against.py TEXT OUT [SAMPLE_MEGABYTES] [VOCAB]

Documents in TEXT are separated by zero bytes. OUT gets, for each model, NAME.model and NAME.ids (for every document its number of
tokens, then the tokens, as 32-bit integers), and seconds.json.
"""

import array
import json
import pathlib
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


def main():
    text, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    sample = int(float(sys.argv[3]) * 2**20) if len(sys.argv) > 3 else 8 << 20
    vocab = int(sys.argv[4]) if len(sys.argv) > 4 else 8000
    documents = text.read_bytes().decode().split("\0")
    used, lines = 0, []
    for document in documents:
        if used >= sample:
            break
        used += len(document.encode())
        lines += document.split("\n")
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
        taken = 0.0
        with open(out / f"{name}.ids", "wb") as writer:
            for document in documents:
                start = time.process_time()
                ids = processor.encode(document)
                taken += time.process_time() - start
                array.array("I", [len(ids), *ids]).tofile(writer)
        seconds[f"encode {name}"] = taken
    (out / "seconds.json").write_text(json.dumps(seconds) + "\n")


if __name__ == "__main__":
    main()

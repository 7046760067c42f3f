"""Makes tests/data/fixtures/dedup: a small generated corpus, and what datatrove and cc_net make of it.

    pip install datatrove==0.10.1 "xxhash<4" tokenizers regex pandas func_argparse requests typing_extensions psutil bs4
    python tests/reference/dedup_reference.py PATH

PATH holds cc_net: a checkout of facebookresearch/cc_net at bda555bd1c, or where pip puts cc_net 1.0.0, whose files are the same.

datatrove's word tokenizer is replaced by white space, as the pipeline of this project splits words.
"""

import json
import random
import struct
import sys
import tempfile
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import simplify_text

OUT = Path(__file__).parent.parent / "data" / "fixtures" / "dedup"
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo yu zé ñu çe öl дe жи λο στ".split()
MARKS = [". ", ", ", "! ", "? ", "; ", " — ", "… ", ": ", " (", ") ", "\n", ".\n"]


def word(random):
    if random.random() < 0.06:
        return random.choice(["3.14", "1,234,567", "2026", "٣٫٥", "7th", "x2", "１２", "Don't", "ΟΔΟΣ", "Été", "İz"])
    text = "".join(random.choice(SYLLABLES) for _ in range(random.randint(1, 3)))
    return text.capitalize() if random.random() < 0.15 else text


def text(random, words):
    out = []
    for _ in range(words):
        out.append(word(random))
        out.append(random.choice(MARKS) if random.random() < 0.15 else " ")
    return "".join(out)


def edited(random, base, rate):
    return " ".join(word(random) if random.random() < rate else part for part in base.split(" "))


def corpus():
    rng = random.Random(6)
    notices = [text(rng, 8).replace("\n", " ").strip() for _ in range(6)]
    documents = []
    for number in range(150):
        if documents and rng.random() < 0.45:
            made = edited(rng, rng.choice(documents), rng.choice([0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.3]))
        else:
            made = text(rng, rng.choice([3, 20, 60, 90, 140]))
        if rng.random() < 0.2:
            made += "\n" + rng.choice(notices)
        documents.append(made)
    return documents


class Whitespace:
    def word_tokenize(self, text):
        return text.split()


def signer(folder, hash_fc="xxhash"):
    config = MinhashConfig(hash_config=HashConfig(precision=64, hash_fc=hash_fc))
    step = MinhashDedupSignature(output_folder=folder, config=config)
    step.word_tokenizer = Whitespace()
    return step, config


def clusters(documents, shards):
    """Groups of (shard, number), from datatrove's four stages."""
    with tempfile.TemporaryDirectory() as folder:
        step, config = signer(folder + "/sig")
        for shard in range(shards):
            part = documents[shard * len(documents) // shards : (shard + 1) * len(documents) // shards]
            step.run((Document(text=text, id=str(number)) for number, text in enumerate(part)), rank=shard)
        for bucket in range(config.num_buckets):
            MinhashDedupBuckets(folder + "/sig", folder + "/dups", config=config).run(None, bucket, config.num_buckets)
        MinhashDedupCluster(folder + "/dups", folder + "/out", config=config, save_cluster_id=True).run(None, 0, 1)
        groups = {}
        for path in sorted(Path(folder + "/out").glob("*.clusters")):
            for document, cluster in struct.iter_unpack("<II", path.read_bytes()):
                groups.setdefault(cluster, []).append([int(path.stem), document])
        return sorted(sorted(group) for group in groups.values())


def lines(documents, cc_net):
    """What cc_net leaves of every document; null for those that it drops."""
    sys.path.insert(0, cc_net)
    from cc_net import dedup

    collector = dedup.HashesCollector("text")
    for text in documents:
        collector.do({"text": text})
    remover = dedup.DuplicatesRemover("text", [])
    remover.duplicates = collector.hashes
    left = [remover.do({"text": text}) for text in documents]
    return [document and document["text"] for document in left]


def main():
    documents = corpus()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "corpus.json").write_text(json.dumps(documents, ensure_ascii=False, indent=0) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        xxhash, _ = signer(folder)
        sha1, _ = signer(folder, "sha1")
        signature = lambda step, text: [value for band in step.get_signature(step.get_shingles(text)) for value in band]
        long = [number for number, text in enumerate(documents) if len(simplify_text(text).split()) >= 5]
        expected = {
            "simplified": [simplify_text(text) for text in documents[:30]],
            "signatures": {number: signature(xxhash, documents[number]) for number in long[:8]},
            "signatures_sha1": {number: signature(sha1, documents[number]) for number in long[:2]},
        }
    expected["clusters"] = clusters(documents, 3)
    if len(sys.argv) > 1:
        expected["lines"] = lines(documents, sys.argv[1])
    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=0) + "\n")


main()

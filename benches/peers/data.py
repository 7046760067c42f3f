"""The peers of `benches/data.py`: libraries that do the same to the same documents, on the core that they are started on.

    python benches/peers/data.py c4/datatrove --input text.jsonl --serve

Reads JSON lines, finds how many of its first documents take about `--seconds`, and says in JSON how many these are and what becomes
of them (`said`). Then each line of its input asks for a run over the same documents; the answer has seconds and bytes of text.
Importing, loading models and reading documents is not timed.

With `--train FILE` it makes the model of its row from the documents instead.
"""

import argparse
import hashlib
import importlib.metadata
import json
import logging
import sys
import tempfile
import time

PEERS = {}


def peer(name, *packages):
    """A function of options that returns one of texts, which says what became of each or, in a string, of all. Its version is that
    of the first of the packages that is there."""

    def add(function):
        PEERS[name] = (packages, function)
        return function

    return add


def nothing_said(each):
    """Runs over texts whose results have no exact counterpart."""
    return lambda texts: [each(text) for text in texts] and None


def ids(run):
    """`ablate` encodes one text: what is said is of the first documents as one."""
    run.said = lambda texts: [" ".join(map(str, run(["\n".join(texts[:20])])[0]))]
    return run


# datatrove: its filters are called as its pipeline does, without its statistics; each sees a document for the first time.


def datatrove_documents(texts):
    from datatrove.data import Document
    from datatrove.utils.text import split_into_parts

    # The words of the last texts are remembered between filters.
    split_into_parts.cache_clear()
    return (Document(text=text, id="") for text in texts)


def datatrove_filter(filter):
    def run(texts):
        found = []
        for document in datatrove_documents(texts):
            result = filter.filter(document)
            keep = result[0] if isinstance(result, tuple) else result
            found.append(document.text if keep else None)
        return found

    return run


@peer("c4/datatrove", "datatrove")
def c4_datatrove(options):
    from datatrove.pipeline.filters import C4QualityFilter

    return datatrove_filter(C4QualityFilter())


@peer("gopher-quality/datatrove", "datatrove")
def gopher_quality_datatrove(options):
    from datatrove.pipeline.filters import GopherQualityFilter

    return datatrove_filter(GopherQualityFilter())


@peer("gopher-repetition/datatrove", "datatrove")
def gopher_repetition_datatrove(options):
    from datatrove.pipeline.filters import GopherRepetitionFilter

    return datatrove_filter(GopherRepetitionFilter())


class White:
    """Words as white space parts them: what datatrove's MinHash would cost without spaCy."""

    def word_tokenize(self, text):
        return text.split()


def minhash(words):
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(hash_config=HashConfig(precision=64))

    def run(texts):
        with tempfile.TemporaryDirectory() as folder:
            signature = MinhashDedupSignature(f"{folder}/signatures", config=config)
            signature.word_tokenizer = words or signature.word_tokenizer
            count = 0

            def read():
                nonlocal count
                for document in datatrove_documents(texts):
                    count += 1
                    yield document

            signature.run(read())
            for bucket in range(config.num_buckets):
                MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config).run(None, bucket, config.num_buckets)
            MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config).run()
            left = sum(1 for _ in MinhashDedupFilter(f"{folder}/remove").run(datatrove_documents([""] * count)))
        return f"{count - left} dropped"

    return run


@peer("minhash/datatrove", "datatrove")
def minhash_datatrove(options):
    return minhash(None)


@peer("minhash/datatrove, words by white space", "datatrove")
def minhash_white(options):
    return minhash(White())


@peer("minhash/text-dedup", "text-dedup")
def minhash_textdedup(options):
    """Its own steps as its `main` calls them, with the same bands, rows and shingles; its words are what `\\W` parts. What is said is by
    its clusters: release 0.4.1 numbers them where it should name them by their first document, and so drops that one, too."""
    import types

    import datasets
    from text_dedup import minhash
    from text_dedup.config import MinHashAlgorithmConfig

    datasets.disable_caching()
    datasets.disable_progress_bars()

    def run(texts):
        shape = {"num_perm": 14 * 8, "bands": 14, "rows": 8, "ngram_size": 5, "threshold": 0.72}
        algorithm = MinHashAlgorithmConfig(algorithm_name="minhash", text_column="text", **shape)
        # With one, another process would be started.
        algorithm.num_proc = None
        config = types.SimpleNamespace(algorithm=algorithm, output=types.SimpleNamespace(skip_filtering=False))
        data = datasets.Dataset.from_dict({algorithm.text_column: texts, algorithm.internal_index_column: list(range(len(texts)))})
        data = data.filter(algorithm.get_filtering_func(), input_columns=[algorithm.text_column])
        clusters = minhash.cluster(config, minhash.fingerprint(config, data))
        minhash.remove_duplicates(config, minhash.assign(config, data, clusters))
        return f"{len(clusters) - len(set(clusters.values()))} dropped"

    return run


@peer("lines/datatrove", "datatrove")
def lines_datatrove(options):
    """Its deduplication of spans of sentences, a span being a line. The first copy of a line stays."""
    from datatrove.pipeline.dedup import SentDedupConfig, SentenceDedupFilter, SentenceDedupSignature, SentenceFindDedups

    config = SentDedupConfig(n_sentences=1, split_sentences=False, min_doc_words=0, min_num_sentences=0)

    def run(texts):
        with tempfile.TemporaryDirectory() as folder:
            read = []

            def reading():
                for document in datatrove_documents(texts):
                    read.append(document)
                    yield document

            SentenceDedupSignature(f"{folder}/signatures", config=config).run(reading())
            SentenceFindDedups(f"{folder}/signatures", f"{folder}/found", config=config).run()
            for _ in SentenceDedupFilter(f"{folder}/found", config=config).run(iter(read)):
                pass
        # Its key of a line is not CCNet's.
        return None

    return run


@peer("lines/cc_net", "cc_net")
def lines_ccnet(options):
    """CCNet's own, from its repository, by PYTHONPATH. Of a line that comes again in one document alone, the first copy stays."""
    from cc_net.dedup import DuplicatesRemover, HashesCollector
    from cc_net.flat_hash_set import FlatHashSet

    def run(texts):
        collector, read = HashesCollector("text", hashes=FlatHashSet()), []
        for text in texts:
            read.append(text)
            collector.do({"text": text})
        remover = DuplicatesRemover("text", [])
        remover.duplicates = collector.hashes
        documents = (remover.do({"text": text}) for text in read)
        return [document and document["text"] for document in documents]

    return run


@peer("lines/hashlib and dict")
def lines_hashlib(options):
    """The least of Python that does it; of text beyond ASCII its keys are not quite CCNet's."""
    import re

    digit, other = re.compile(r"\d"), re.compile(r"[^ -~]")

    def keys(text):
        for line in text.split("\n"):
            line = other.sub("", digit.sub("0", line.strip().lower()))
            yield hashlib.sha1(line.encode()).digest()[:8]

    def run(texts):
        counts, documents = {}, []
        for text in texts:
            found = list(keys(text))
            documents.append((text, found))
            for key in found:
                counts[key] = counts.get(key, 0) + 1
        found = []
        for text, of in documents:
            left = [line for line, key in zip(text.split("\n"), of) if counts[key] == 1]
            found.append("\n".join(left) if left else None)
        return found

    return run


@peer("identify/fasttext", "fasttext", "fasttext-wheel")
def identify_fasttext(options):
    import fasttext

    fasttext.FastText.eprint = lambda *_: None
    if options.train:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            for document in documents(options.input):
                text = " ".join(document["text"].split())
                # Lines of a few words, as it would be trained on sentences.
                for start in range(0, min(len(text), 2000), 200):
                    file.write(f"__label__{document['language']} {text[start : start + 200]}\n")
            file.flush()
            # The shape of lid.176.bin, but for the size of its table.
            shape = {"dim": 16, "minn": 2, "maxn": 4, "bucket": 200_000, "loss": "hs", "lr": 0.5, "epoch": 10, "thread": 1, "verbose": 0}
            fasttext.train_supervised(file.name, **shape).save_model(options.train)
        return None
    # The compiled function, as `predict` calls it: with NumPy 2 that fails at the end.
    predict = fasttext.load_model(options.model).f.predict

    def run(texts):
        found = [predict(text.replace("\n", "") + "\n", 1, 0.0, "strict") for text in texts]
        return [it[0][1].removeprefix("__label__") if it else None for it in found]

    return run


@peer("perplexity/kenlm", "kenlm")
def perplexity_kenlm(options):
    import kenlm

    score = kenlm.Model(options.model).score

    def run(texts):
        found = []
        for text in texts:
            logarithm = score(text)
            found.append(round(10.0 ** (-logarithm / (text.count(" ") + 2)), 1))
        return found

    return run


@peer("bpe/tokenizers", "tokenizers")
def bpe_tokenizers(options):
    import tokenizers

    if options.train:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = tokenizers.decoders.ByteLevel()
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        shape = {"vocab_size": 32000, "initial_alphabet": alphabet, "special_tokens": ["<|endoftext|>"]}
        trainer = tokenizers.trainers.BpeTrainer(show_progress=False, **shape)
        tokenizer.train_from_iterator((document["text"] for document in documents(options.input)), trainer)
        tokenizer.save(options.train)
        return None
    tokenizer = tokenizers.Tokenizer.from_file(options.model)

    # Without places in the text: the fastest that it has.
    return ids(lambda texts: [it.ids for it in tokenizer.encode_batch_fast(texts, add_special_tokens=False)])


@peer("sentencepiece/sentencepiece", "sentencepiece")
def sentencepiece_sentencepiece(options):
    import sentencepiece

    if options.train:
        # As LLaMA's tokenizer.
        shape = {"model_type": "bpe", "vocab_size": 16000, "byte_fallback": True, "split_digits": True, "character_coverage": 0.99995}
        shape |= {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "max_sentence_length": 1 << 20}
        lines = (line for document in documents(options.input) for line in document["text"].split("\n") if line)
        with open(options.train, "wb") as file:
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=file, num_threads=1, minloglevel=2, **shape)
        return None
    encode = sentencepiece.SentencePieceProcessor(model_file=options.model).encode_as_ids

    return ids(lambda texts: [encode(text) for text in texts])


@peer("html-all/resiliparse", "resiliparse")
def html_all_resiliparse(options):
    from resiliparse.extract.html2text import extract_plain_text

    return nothing_said(extract_plain_text)


@peer("html-all/lxml", "lxml")
def html_all_lxml(options):
    import lxml.html

    return nothing_said(lambda text: lxml.html.fromstring(text).text_content())


@peer("html-main/trafilatura", "trafilatura")
def html_main_trafilatura(options):
    import trafilatura

    return nothing_said(trafilatura.extract)


@peer("html-main/resiliparse", "resiliparse")
def html_main_resiliparse(options):
    from resiliparse.extract.html2text import extract_plain_text

    return nothing_said(lambda text: extract_plain_text(text, main_content=True))


def documents(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def version(packages):
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return ""


def digests(said):
    """Texts are compared by their hashes."""
    if not isinstance(said, list):
        return said
    return [hashlib.sha1(it.encode()).hexdigest() if isinstance(it, str) else it for it in said]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("--input", required=True, help="JSON lines with text")
    parser.add_argument("--model", help="file of a model, where the peer has one")
    parser.add_argument("--train", metavar="FILE", help="make the model")
    parser.add_argument("--seconds", type=float, default=3, help="of a run, about; a peer that is faster reads all")
    parser.add_argument("--serve", action="store_true", help="without effect: it always does")
    options = parser.parse_args()
    logging.disable()
    try:
        import loguru

        loguru.logger.remove()
    except ImportError:
        pass
    # Only answers go to the standard output.
    answers, sys.stdout = sys.stdout, sys.stderr
    packages, start = PEERS[options.peer]
    try:
        run = start(options)
    except ImportError as error:
        sys.exit(f"not installed: {error}")
    if run is None:
        return
    texts = [document["text"] for document in documents(options.input)]
    count, took = 16, 0
    while took < options.seconds / 2 and count < len(texts):
        count *= 2
        begin = time.perf_counter()
        run(texts[:count])
        took = time.perf_counter() - begin
    taken = texts[:count]
    size = sum(len(text.encode()) for text in taken)
    about = {"version": version(packages), "documents": len(taken), "said": digests(getattr(run, "said", run)(taken))}
    print(json.dumps(about), file=answers, flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run(taken)
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "bytes": size}), file=answers, flush=True)


if __name__ == "__main__":
    main()

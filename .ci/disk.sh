#!/usr/bin/env bash
# Disks that take no more, for real: a full one (a small tmpfs) and one that is mounted read-only. Needs root.
#   .ci/disk.sh ABLATE
set -euo pipefail
ablate=$(realpath "$1")
scratch=$(mktemp -d)
small=$scratch/small
cleanup() { umount "$small" 2>/dev/null || true; umount "$scratch/closed" 2>/dev/null || true; rm -rf "$scratch"; }
trap cleanup EXIT
cd "$scratch"
export ABLATE_CACHE=$scratch/cache

cat >base.toml <<'TOML'
model = { layers = 2, width = 64, context = 16, attention = { heads = 2 }, feed_forward = { hidden = 128 } }
data = { corpus = { kind = "text", paths = ["corpus.txt"] }, tokenizer = { kind = "bytes" }, validation_bytes = 600 }
train = { steps = 40, batch = 2, checkpoint_every = 10 }
schedule.warmup = 1
TOML
cat >e.toml <<'TOML'
name = "e"
question = "?"
base = "base.toml"
seeds = 3
[[arm]]
name = "layer"
set = { "model.norm.kind" = "layer" }
TOML
for i in $(seq 600); do echo "Line $i, $((i * i % 97)) words."; done >corpus.txt

fail() { echo "FAILED: $1" >&2; cat said.txt >&2; exit 1; }
# must CODE WORDS COMMAND…: the exit code, and words that standard error must hold.
must() {
    local code=$1 words=$2 found=0
    shift 2
    "$@" >/dev/null 2>said.txt || found=$?
    [ "$found" = "$code" ] || fail "exit code $found instead of $code: $*"
    grep -qi "$words" said.txt || [ -z "$words" ] || fail "no word of '$words'"
}
# What a sweep left, without what depends on time.
values() { sed 's/.*"arm":"\([^"]*\)","seed":\([0-9]*\).*"outcome":"\([^"]*\)".*"metrics":\({[^}]*}\).*"data_hash":"\([^"]*\)".*/\1 \2 \3 \4 \5/' "$1/records.jsonl" | grep finished | sort; }

must 0 "" "$ablate" run e.toml --out calm
mkdir "$small"
mount -t tmpfs -o size=3m tmpfs "$small"
must 2 "No space left" "$ablate" run e.toml --out "$small/out" --jobs 2
grep -q "the same command continues" said.txt || fail "no advice"
echo "full: $(grep -c . said.txt) lines, the first: $(head -c 200 said.txt | head -n 1)"
mount -o remount,size=64m "$small"
must 0 "" "$ablate" run e.toml --out "$small/out" --jobs 2
[ "$(values calm)" = "$(values "$small/out")" ] || fail "other values after a full disk"

# Full while only the line of the record no longer fits: the run is there, and is not trained again.
cp -r calm "$small/late"
: >"$small/late/records.jsonl"
head -c 200M /dev/zero >"$small/filler" 2>/dev/null || true
must 2 "No space left" "$ablate" run e.toml --out "$small/late"
rm "$small/filler"
must 0 "" "$ablate" run e.toml --out "$small/late"
[ "$(values calm)" = "$(values "$small/late")" ] || fail "other values after a full disk"

mkdir closed
cp -r calm before
mount --bind calm closed
mount -o remount,bind,ro closed
must 2 "read-only" "$ablate" run e.toml --out closed --seeds 4
must 0 "" "$ablate" status closed
must 2 "read-only" "$ablate" gc closed
umount closed
diff -r before calm || fail "a read-only folder was changed"
must 0 "" "$ablate" run e.toml --out calm --seeds 4
echo "disks: passed"

#!/usr/bin/env python3
"""Writes crates.toml, the manifest of the default corpus, from Cargo.lock.

Run it only to publish a new version of the corpus: every result that was measured on the old one stops being
comparable. Raise VERSION in the same change.

    cargo fetch && python3 configs/corpora/make_crates.py

A crate is listed when a plain `cargo build` has certainly put its archive into Cargo's cache, whatever the machine:
it is a normal dependency in the default feature closure on every target of TARGETS. Build-dependencies and
dev-dependencies are left out, and so are crates

* without a permissive licence (one alternative of PERMISSIVE is enough),
* whose sources are mostly tables or generated declarations (TABLES),
* of which a newer version is listed (near-duplicates),
* without a repository, because the family, and with it the split, is the owner of the repository.

Whole families (VALIDATION) are held out, so that validation text shares neither files nor authors' habits with the
training text.
"""

import json
import pathlib
import re
import subprocess
import tomllib

VERSION = 1
TARGETS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
]
PERMISSIVE = {"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "Zlib", "Unlicense", "0BSD", "ISC", "BSL-1.0", "CC0-1.0"}
VALIDATION = {"burntsushi", "zkat"}
TABLES = re.compile(
    r"^(libc|windows.*|icu_.*|unicode.*|utf_types|typenum|spm_precompiled|pulp.*|raw-cpuid|minimal-lexical|const-oid|"
    r"gemm.*|zerocopy-derive|esaxx-rs|float8)$"
)

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cargo(*arguments):
    return subprocess.run(["cargo", *arguments, "--offline", "--locked"], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def built_everywhere():
    """(name, version) of the normal dependencies that every target builds."""
    common = None
    for target in TARGETS:
        lines = cargo("tree", "-e", "normal", "--prefix", "none", "--no-dedupe", "--target", target, "-f", "{p}").splitlines()
        found = {tuple(line.split()[:2]) for line in lines if line.strip() and "(/" not in line}
        common = found if common is None else common & found
    return {(name, version.removeprefix("v")) for name, version in common}


def permissive(licence):
    """Whether one alternative of an SPDX expression needs nothing but PERMISSIVE."""
    alternatives = re.split(r"\s+OR\s+|/", licence.replace("(", " ").replace(")", " ")) if " AND " not in licence else [licence]
    return any(alternative.strip() in PERMISSIVE for alternative in alternatives)


def family(package):
    """The owner of the repository, in lower case."""
    found = re.match(r"https?://[^/]+/([^/]+)/", (package["repository"] or "") + "/")
    return found.group(1).lower() if found else None


def main():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p["checksum"] for p in lock["package"] if "checksum" in p}
    packages = {(p["name"], p["version"]): p for p in json.loads(cargo("metadata", "--format-version", "1"))["packages"]}

    newest = {}
    for key in sorted(built_everywhere() & checksums.keys(), key=lambda key: (key[0], [int(n) for n in re.findall(r"\d+", key[1])[:3]])):
        newest[key[0]] = key

    lines = [
        "# The default corpus: sources and docs of crates that a plain `cargo build` of this package leaves in Cargo's cache.",
        "# Written by make_crates.py; changed only deliberately, with a new version.",
        f"version = {VERSION}",
    ]
    for key in sorted(newest.values()):
        package = packages[key]
        owner = family(package)
        licence = package["license"] or ""
        if owner is None or not permissive(licence) or TABLES.match(key[0]):
            continue
        split = "validation" if owner in VALIDATION else "train"
        lines += [
            "",
            "[[crate]]",
            f'name = "{key[0]}"',
            f'version = "{key[1]}"',
            f'sha256 = "{checksums[key]}"',
            f'licence = "{" OR ".join(part.strip() for part in re.split(" OR |/", licence))}"',
            f'family = "{owner}"',
            f'split = "{split}"',
        ]
    (ROOT / "configs/corpora/crates.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

//! The recipes and the mixture that come along, on small inputs written for them.

use super::verbs::Desk;
use ablate::{
    data::{
        CorpusConfig, PATH_KEYS,
        recipe::{Ablated, Allowed, Options, Plan, Recipe, StepOptions},
    },
    settings::{Document, Origin},
    train::RunConfig,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Touvron et al. 2023, table 1: sampling proportions, and the epochs of 1.4T tokens.
#[test]
fn the_mixture_of_llama_is_its_table_1() {
    let path = shipped("configs/mixtures/llama.toml");
    let text = fs::read_to_string(&path).unwrap();
    let mut document = Document::load(&path).unwrap();
    document.make_paths_absolute(&PATH_KEYS).unwrap();
    let CorpusConfig::Mixture(mixture) = document.parse::<RunConfig>().unwrap().data.corpus else { panic!("no mixture") };
    let table = [
        ("crawl", 67.0, "1.10"),
        ("c4", 15.0, "1.06"),
        ("github", 4.5, "0.64"),
        ("wikipedia", 4.5, "2.45"),
        ("books", 4.5, "2.23"),
        ("arxiv", 2.5, "1.06"),
        ("stack-exchange", 2.0, "1.03"),
    ];
    assert_eq!(mixture.sources.len(), table.len());
    for (name, weight, epochs) in table {
        let source = &mixture.sources[name];
        assert_eq!((source.weight, source.epochs), (Some(weight), None), "{name}");
        let line = text.lines().find(|line| line.starts_with(&format!("[data.corpus.sources.{name}]"))).unwrap();
        assert!(line.split_once('#').unwrap().1.trim().starts_with(epochs), "{line}");
        assert!(epochs.parse::<f64>().unwrap() <= mixture.max_epochs, "the paper's own epochs are allowed");
    }
    assert_eq!(table.iter().map(|(_, weight, _)| weight).sum::<f64>(), 100.0);
    assert!(mixture.problems().is_empty());
}

/// English sentences, another text for each seed.
fn prose(seed: u64, sentences: usize) -> String {
    let words = ["river", "stone", "lamp", "winter", "table", "music", "garden", "letter", "window", "bread", "silver", "road"];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[(state >> 33) as usize % words.len()]
    };
    let mut sentence =
        || format!("The {} that was near the {} had a {}, and there was no {} with the old {}.\n", word(), word(), word(), word(), word());
    (0..sentences).map(|_| sentence()).collect()
}

fn rows(texts: impl Iterator<Item = String>) -> String {
    texts.map(|text| format!("{}\n", serde_json::json!({ "text": text }))).collect()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, content).unwrap();
    encoder.finish().unwrap()
}

/// What the recipes read, each where its comments say.
fn inputs(desk: &Desk) {
    let page = |number: u64| {
        let text = prose(number, 24);
        let head = "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Date: 2020-01-01T00:00:00Z\r\nContent-Type: text/plain";
        format!("{head}\r\nWARC-Target-URI: https://example.org/{number}\r\nContent-Length: {}\r\n\r\n{text}\r\n\r\n", text.len())
    };
    let crawl = fs::read(shipped("tests/data/fixtures/formats/crawl.warc.gz")).unwrap();
    for folder in ["raw/crawl", "raw/warc"] {
        desk.write(&format!("{folder}/pages.warc.wet"), (0..40).map(page).collect::<String>());
        desk.write(&format!("{folder}/crawl.warc.gz"), &crawl);
    }
    desk.write("raw/references/a.jsonl", rows((100..140).map(|seed| prose(seed, 24))));
    // Paragraphs that occur once, twice, three times and so on, each half as many as those before: what discounts are estimated from.
    let guides = fs::read_dir(shipped("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut guides: Vec<PathBuf> = guides.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    guides.sort();
    let text: String = guides.iter().map(|path| fs::read_to_string(path).unwrap() + "\n\n").collect();
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()).zip(1_usize..);
    let repeated = paragraphs.flat_map(|(paragraph, number)| vec![paragraph.to_string(); 1 + number.trailing_zeros().min(4) as usize]);
    desk.write("raw/wikipedia-text/a.jsonl", rows(repeated));

    let wikitext = fs::read_to_string(shipped("tests/data/fixtures/extract/wikitext/en.wiki")).unwrap();
    let escaped = wikitext.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!("<page><title>A</title><ns>0</ns><id>1</id><revision><id>2</id><text>{escaped}</text></revision></page>");
    let dump = format!("<mediawiki xml:lang=\"en\"><siteinfo><sitename>Wikipedia</sitename></siteinfo>{page}</mediawiki>");
    desk.write("raw/wikipedia/enwiki-20220620-pages-articles.xml", dump);

    let posts = r#"<?xml version="1.0" encoding="utf-8"?>
<posts>
  <row Id="1" PostTypeId="1" AcceptedAnswerId="2" Score="3" Title="Why?" Body="&lt;p&gt;Why is it so?&lt;/p&gt;" Tags="|a|" />
  <row Id="2" PostTypeId="2" ParentId="1" Score="10" Body="&lt;p&gt;Because it is.&lt;/p&gt;" />
</posts>"#;
    desk.write("raw/stack-exchange/cooking.stackexchange.com/Posts.xml", posts);

    let paper = gzip(br"\documentclass{article}\newcommand{\thing}{so}\begin{document}\section{One}It is \thing.\end{document}");
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(paper.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "2101/2101.00001.gz", paper.as_slice()).unwrap();
    desk.write("raw/arxiv/arXiv_src_2101_001.tar", archive.into_inner().unwrap());

    for seed in 0..3 {
        desk.write(&format!("raw/books/{seed}.txt"), prose(300 + seed, 200));
    }
    let code = |name: &str| {
        let notice = "// Copyright 2020 A. Uthor\n// All rights reserved.\n";
        let body = "    let beginning = String::from(\"a text of several words\");\n    beginning.to_uppercase()\n";
        format!("{notice}\nfn {name}() -> String {{\n{body}}}\n")
    };
    let row = |name: &str| format!("{}\n", serde_json::json!({ "content": code(name), "path": format!("{name}.rs"), "license": "mit" }));
    desk.write("raw/github/a.jsonl", ["one", "two", "one"].map(row).concat());
}

#[test]
fn the_recipes_that_come_along_can_be_built() {
    let desk = Desk::new();
    inputs(&desk);
    fs::create_dir(desk.path("models")).unwrap();
    // As llama-crawl.toml says.
    desk.shown(&["data", "train", "ngram", "raw/wikipedia-text", "--out", "models/wikipedia.ngram", "--memory", "64"]);
    let quality = ["data", "train", "quality", "--references", "raw/references", "--random", "raw/crawl", "--out", "models/references.bin"];
    desk.shown(&quality);
    let mut count = 0;
    for entry in fs::read_dir(shipped("configs/data")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        desk.write(&format!("{name}.toml"), fs::read(&path).unwrap());
        let as_written = Ablated { without: &[], steps: &StepOptions::new(), asked: &Origin::default() };
        let document = Document::load(&desk.path(&format!("{name}.toml"))).unwrap();
        let mut recipe = Recipe::parse(document, &as_written).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(recipe.name, name);
        // So little text may leave a step nothing to do.
        let own = recipe.sources.iter_mut().flat_map(|source| &mut source.steps);
        own.chain(&mut recipe.steps).for_each(|step| step.allow = vec![Allowed::Nothing, Allowed::Everything]);
        let steps: Vec<String> =
            recipe.sources.iter().flat_map(|source| &source.steps).chain(&recipe.steps).map(|step| step.name().to_string()).collect();
        // Of the default corpus, which is no small input, some documents do.
        let most = recipe.sources[0].crates.map(|_| 2);
        let options = Options { threads: 2, memory: 64 << 20, most, keep_work: false };
        let built = Plan::new(recipe)
            .and_then(|plan| plan.build(&desk.path(&format!("built/{name}")), &options, &|_, _, _| (), &AtomicBool::new(false)));
        let report = built.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.sources.iter().all(|source| source.read.documents > 0), "{name}: nothing was read");
        for step in steps {
            assert!(report.steps.iter().any(|found| found.name == step), "{name}: nothing is told of {step}");
        }
        let whole = ["llama-wikipedia", "llama-stack-exchange", "llama-arxiv", "llama-books", "llama-github", "crates-deduplicated"];
        assert!(!whole.contains(&name.as_str()) || report.written.documents > 0, "{name}: nothing is left");
        count += 1;
    }
    assert!(count >= 10);
}

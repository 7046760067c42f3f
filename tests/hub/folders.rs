//! Folders of Hugging Face and of runs, as the program takes one for the other, copies and describes them.

use super::{exported, spec, trained::Bench};
use ablate::hub::{self, Dtype, Imported, Shards};
use std::fs;

/// Weights in several files: none larger than is asked for but that of a tensor that is, all of them in the index.
#[test]
fn shards_come_back_to_the_bit() {
    let spec = spec("");
    let folder = tempfile::tempdir().unwrap();
    let exported = exported(&spec, "llama", Dtype::F32, folder.path());
    let whole = hub::import(folder.path()).unwrap().weights;
    for most in [1, 3000, 20_000, usize::MAX] {
        let folder = tempfile::tempdir().unwrap();
        exported.write_shards(folder.path(), Dtype::F32, most).unwrap();
        let Imported { weights, dtype, .. } = hub::import(folder.path()).unwrap();
        assert!(weights == whole && dtype == Dtype::F32, "{most}");
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = names.filter(|name| name.ends_with(".safetensors")).collect();
        files.sort();
        let index = folder.path().join("model.safetensors.index.json");
        if most == usize::MAX {
            assert!(files == ["model.safetensors"] && !index.exists());
            continue;
        }
        let index: serde_json::Value = serde_json::from_slice(&fs::read(index).unwrap()).unwrap();
        let (mut total, mut tensors) = (0, 0);
        for (at, file) in files.iter().enumerate() {
            assert_eq!(*file, format!("model-{:05}-of-{:05}.safetensors", at + 1, files.len()));
            let shards = Shards::file(&folder.path().join(file)).unwrap();
            let bytes: usize = shards.names().map(|name| 4 * shards.shape(name).unwrap().iter().product::<usize>()).sum();
            assert!(bytes <= most || shards.count() == 1, "{file}: {bytes} of {most}");
            assert!(shards.names().all(|name| index["weight_map"][name] == **file));
            (total, tensors) = (total + bytes, tensors + shards.count());
        }
        assert_eq!(index["metadata"]["total_size"], total);
        assert_eq!(index["weight_map"].as_object().unwrap().len(), tensors);
        assert!(files.len() > 1 && (most > 1 || files.len() == tensors), "{files:?}");
    }
}

#[test]
fn a_folder_of_hugging_face_is_no_run_and_what_makes_one_is_said() {
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--out", "hf"]);
    for arguments in [&["generate", "hf", "--prompt", "x"][..], &["chat", "hf"], &["export", "hf", "--format", "ablate", "--out", "x"]] {
        let said = bench.refused(arguments);
        assert!(said.contains("ablate import hf") && !said.contains("no checkpoint"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_refused_import_leaves_nothing_behind() {
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--out", "hf"]);
    fs::write(bench.path("wrong.toml"), "data.corpus = { kind = \"text\", paths = [\"nowhere.txt\"] }\n").unwrap();
    let said = bench.refused(&["import", "hf", "--out", "new", "--config", "wrong.toml"]);
    assert!(said.contains("nowhere.txt") && !bench.path("new").exists(), "{said}");
    // A model of 31 tokens beside a tokenizer of 320.
    exported(&spec("layers = 1"), "llama", Dtype::F32, &bench.path("small"));
    fs::copy(bench.path("hf/tokenizer.json"), bench.path("small/tokenizer.json")).unwrap();
    let said = bench.refused(&["import", "small", "--out", "new", "--config", "config.toml"]);
    assert!(said.contains("take the tokenizer.json that belongs to the model") && !bench.path("new").exists(), "{said}");
}

/// A window that no text of the training context reaches: a configuration must not say it, a model may have it.
#[test]
fn an_imported_run_keeps_a_window_beyond_its_context() {
    let bench = Bench::new(&["model.attention.window=100", "model.attention.pattern=[\"window\"]"]);
    assert!(bench.ablate(&["export", "run", "--out", "hf"]).starts_with("mistral: "));
    let path = bench.path("hf/config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"sliding_window\": 100", "\"sliding_window\": 1000")).unwrap();
    bench.ablate(&["import", "hf", "--out", "again", "--config", "config.toml"]);
    let opened = ablate::train::open_model(&bench.path("again"), Default::default()).unwrap();
    assert_eq!((opened.spec.context, opened.spec.attention.window_at(1)), (128, Some(1000)));
    let set = ["--set", "model.attention.window=1000", "--set", "model.attention.pattern=[\"window\"]"];
    let said = bench.refused(&[&["train", "config.toml", "--out", "x"][..], &set].concat());
    assert!(said.contains("window (1000) must be at most context (128)"), "{said}");
}

#[test]
fn a_run_goes_out_in_the_type_that_it_came_in() {
    let bench = Bench::new(&[]);
    let dtype = |folder: &str| {
        let shards = Shards::file(&bench.path(folder).join("model.safetensors")).unwrap();
        let first = shards.names().next().unwrap().to_string();
        shards.dtype(&first)
    };
    bench.ablate(&["export", "run", "--out", "own"]);
    bench.ablate(&["export", "run", "--out", "hf", "--dtype", "bf16"]);
    // The files count, whatever config.json says of them.
    let path = bench.path("hf/config.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("bfloat16", "float16")).unwrap();
    bench.ablate(&["import", "hf", "--out", "again", "--config", "config.toml"]);
    bench.ablate(&["export", "again", "--out", "hf2"]);
    bench.ablate(&["export", "again", "--out", "hf3", "--dtype", "f32"]);
    assert_eq!(["own", "hf", "hf2", "hf3"].map(dtype), [Dtype::F32, Dtype::Bf16, Dtype::Bf16, Dtype::F32].map(Some));
    assert!(fs::read(bench.path("hf/model.safetensors")).unwrap() == fs::read(bench.path("hf2/model.safetensors")).unwrap());
}

#[test]
fn a_card_says_what_a_reader_needs_and_not_where_its_author_works() {
    let bench = Bench::new(&[]);
    bench.ablate(&["export", "run", "--out", "hf"]);
    bench.ablate(&["import", &bench.path("hf").display().to_string(), "--out", "again", "--config", "config.toml"]);
    bench.ablate(&["export", "again", "--out", "hf2"]);
    let home = bench.path("").display().to_string();
    for folder in ["hf", "hf2"] {
        let card = fs::read_to_string(bench.path(folder).join("README.md")).unwrap();
        assert!(card.contains("\n| property | value |\n| --- | --- |\n| architecture | `LlamaForCausalLM` |\n"), "{card}");
        assert!(card.contains("corpus.txt") && card.contains("`bos_token_id`"), "{card}");
        assert!(!card.contains(home.trim_end_matches('/')), "{card}");
    }
    // Of a corpus without text nothing is said about tokens that open one.
    let recall = "model = { layers = 1, width = 32, context = 32, attention = { heads = 2 }, feed_forward = { hidden = 32 } }\n\
                  data.corpus = { kind = \"synthetic\", task = { kind = \"mqar\", vocab = 64, pairs = 2 } }\n\
                  train = { steps = 20, batch = 4 }\n";
    fs::write(bench.path("recall.toml"), recall).unwrap();
    bench.ablate(&["train", "recall.toml", "--out", "recall"]);
    bench.ablate(&["export", "recall", "--out", "hf3"]);
    let card = fs::read_to_string(bench.path("hf3/README.md")).unwrap();
    assert!(card.contains("| corpus | ") && !card.contains("bos_token_id"), "{card}");
}

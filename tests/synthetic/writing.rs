//! Synthetic corpora in configurations: what is refused, what is left alone, what is shown.

use ablate::{
    data::{Dataset, TokenizerConfig},
    device::DeviceName,
    experiment::{Experiment, Overrides, Plan},
    settings::Document,
    train::{RunConfig, RunSpec},
};

/// A small run with assignments on top.
pub fn resolve(set: &[&str]) -> Result<RunSpec, String> {
    let small = r#"
        model = { layers = 2, width = 32, context = 32, attention = { heads = 2 }, feed_forward = { hidden = 32 } }
        data.corpus = { kind = "synthetic", task = { kind = "mqar", vocab = 64, pairs = 2 } }
        train = { steps = 20, batch = 8 }
        evaluation = { every = 10, batch = 16 }
    "#;
    let mut document = Document::from_text("small.toml", small).unwrap();
    for assignment in set {
        document.set(assignment, "test").map_err(|error| error.to_string())?;
    }
    let config: RunConfig = document.parse().map_err(|error| error.to_string())?;
    config.resolve().map_err(|problems| document.locate(problems).to_string())
}

#[test]
fn a_synthetic_corpus_needs_no_text_no_tokenizer_and_no_file() {
    let spec = resolve(&[]).unwrap();
    assert_eq!((spec.data.vocab, spec.model.vocab, &spec.data.tokenizer), (64, 64, &TokenizerConfig::None {}));
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::prepare(&spec.data, &folder.path().join("cache"), &|_, _, _| {}).unwrap();
    assert!(data.synthetic().is_some() && !folder.path().join("cache").exists());
    // What is about text changes nothing, and what is about the task does.
    for set in ["data.tokenizer.kind=bytes", "data.validation_bytes=1000", "data.train_bytes=1000", "data.corpus.instances=100000"] {
        assert_eq!(resolve(&[set]).unwrap().id(), spec.id(), "{set}");
    }
    for set in ["data.corpus.task.pairs=3", "data.corpus.seed=1", "data.corpus.instances=0", "data.corpus.validation=10"] {
        assert_ne!(resolve(&[set]).unwrap().id(), spec.id(), "{set}");
    }
    // A specification is stored as TOML and read back.
    let text = toml::to_string_pretty(&spec).unwrap();
    assert_eq!(toml::from_str::<RunSpec>(&text).unwrap(), spec);
    // One that was planned by other generators is not run by these.
    let mut old = spec.data.clone();
    old.fingerprint.replace_range(..4, "0000");
    assert!(Dataset::prepare(&old, folder.path(), &|_, _, _| {}).unwrap_err().to_string().contains("plan again"));
}

#[test]
fn metrics_are_accuracies_and_those_of_longer_instances() {
    let names = |set: &[&str]| resolve(set).unwrap().metrics();
    assert_eq!(names(&[]), ["valid/accuracy", "valid/sequence_accuracy", "valid/loss"]);
    let longer = names(&["evaluation.context_multiples=[2]"]);
    assert_eq!(longer[3..6], ["valid/accuracy@1x", "valid/sequence_accuracy@1x", "valid/loss@1x"]);
    assert_eq!(longer[6..], ["valid/accuracy@2x", "valid/sequence_accuracy@2x", "valid/loss@2x"]);
}

#[test]
fn what_cannot_be_is_refused_by_key() {
    for (set, said) in [
        ("data.corpus.task.pairs=9", "model.context"),
        ("data.corpus.task.pairs=0", "data.corpus.task.pairs"),
        ("data.corpus.task.vocab=5", "data.corpus.task.vocab"),
        ("data.corpus.task.power=0.0", "data.corpus.task.power"),
        ("data.corpus.task.pear=2", "pairs"),
        ("data.corpus.task.kind=mqra", "mqar"),
        ("data.corpus.validation=0", "data.corpus.validation"),
        ("data.corpus.task={kind=\"in_context_recall\", vocab=3}", "data.corpus.task.vocab"),
        ("data.corpus.task={kind=\"noisy_recall\", noise=1.0}", "data.corpus.task.noise"),
        ("data.corpus.task={kind=\"noisy_recall\", vocab=64, noise_vocab=0}", "data.corpus.task.noise_vocab"),
        ("data.corpus.task={kind=\"fuzzy_recall\", vocab=16, key_length=8}", "data.corpus.task.key_length"),
        ("data.corpus.task={kind=\"fuzzy_recall\", key_length=7}", "model.context"),
        ("data.corpus.task={kind=\"selective_copying\", tokens=16}", "model.context"),
        ("data.corpus.task={kind=\"memorization\", vocab=4}", "data.corpus.task.vocab"),
        ("data.corpus.task={kind=\"induction\", vocab=15}", "data.corpus.task.vocab"),
        ("data.corpus.task={kind=\"dyck\", depth=31}", "model.context"),
        ("data.corpus.task={kind=\"dyck\", kinds=0}", "data.corpus.task.kinds"),
        ("data.corpus.task={kind=\"addition\", digits=10}", "model.context"),
        ("data.corpus.task={kind=\"copying\", letters=1}", "data.corpus.task.letters"),
        ("data.corpus.task={kind=\"compression\"}", "model.readout.kind"),
        ("model.readout.kind=last", "model.readout.kind"),
        ("model.vocab=32", "model.vocab"),
    ] {
        let error = resolve(&[set]).unwrap_err();
        assert!(error.contains(said), "{set}: {error}");
    }
    // Longer instances must fit as well: 300 different tokens are no 512.
    let long = ["data.corpus.task={kind=\"induction\", vocab=300}", "evaluation.context_multiples=[32]"];
    assert!(resolve(&long).unwrap_err().contains("data.corpus.task.vocab"));
    assert!(resolve(&["model.context=3", "data.corpus.task={kind=\"copying\", letters=2}"]).unwrap_err().contains("too few different"));
    // Text has a tokenizer.
    let text = ["data.corpus={kind=\"crates\"}", "data.tokenizer={kind=\"none\"}"];
    assert!(resolve(&text).unwrap_err().contains("data.tokenizer.kind"));
}

#[test]
fn instances_are_shown_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sum.toml");
    let config = "model.context = 9\n[data.corpus]\nkind = \"synthetic\"\ntask = { kind = \"addition\", digits = 2 }\n";
    std::fs::write(&path, config).unwrap();
    let inspect = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ablate"));
        let output = command.args(["data", "inspect"]).arg(&path).args(arguments).assert().success().get_output().stdout.clone();
        String::from_utf8(output).unwrap()
    };
    let text = inspect(&[]);
    assert!(text.contains("vocabulary 14") && text.contains("training instances 10,000") && text.contains("=→"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&inspect(&["--json", "--samples", "5"])).unwrap();
    for sample in json["samples"].as_array().unwrap() {
        let words = |key: &str| -> Vec<String> {
            sample[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap_or("").to_string()).collect()
        };
        let (tokens, targets) = (words("tokens").concat(), words("targets").concat());
        let (a, rest) = tokens.split_once('+').unwrap();
        let (b, _) = rest.split_once('=').unwrap();
        let sum = a.parse::<u64>().unwrap() + b.parse::<u64>().unwrap();
        assert_eq!(targets, format!("{sum}end"), "{tokens}");
    }
    assert_eq!(json["samples"].as_array().unwrap().len(), 5);
}

#[test]
fn tasks_are_arms_as_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let base = "model = { layers = 1, width = 16, context = 32, attention = { heads = 2 }, feed_forward = { hidden = 24 } }\n\
                data.corpus = { kind = \"synthetic\", task = { kind = \"mqar\", pairs = 2 } }\n\
                train = { steps = 4, batch = 2 }\n";
    std::fs::write(folder.path().join("base.toml"), base).unwrap();
    let load = |metric: &str| {
        let path = folder.path().join("e.toml");
        let arms = "[[arm]]\nname = \"pairs\"\nset = { \"data.corpus.task.pairs\" = 3 }\n\
                    [[arm]]\nname = \"dyck\"\nset = { \"data.corpus.task.kind\" = \"dyck\" }\n";
        std::fs::write(&path, format!("name = \"e\"\nquestion = \"?\"\nbase = \"base.toml\"\n{metric}{arms}")).unwrap();
        Experiment::load(&path, &Overrides::default())
    };
    let experiment = load("metric = \"valid/accuracy\"\n").unwrap();
    let plan = Plan::new(&experiment, &DeviceName::Flex, None, &[]);
    assert!(!plan.lower_is_better);
    let origins = |arm: usize| -> Vec<String> {
        plan.arms[arm].differences.iter().map(|difference| format!("{}: {}", difference.key, difference.origin)).collect()
    };
    let of_pairs = origins(1);
    assert_eq!(of_pairs.len(), 2, "{of_pairs:?}");
    for origin in ["data.corpus.task.pairs: named", "data.fingerprint: derived from data.corpus.task.pairs"] {
        assert!(of_pairs.contains(&origin.to_string()), "{origin}: {of_pairs:?}");
    }
    // Another task has another vocabulary, and its source another number of instances.
    let derived = origins(2);
    for key in ["data.vocab", "model.vocab", "data.corpus.instances", "data.corpus.validation", "data.fingerprint"] {
        assert!(derived.contains(&format!("{key}: derived from data.corpus.task.kind")), "{key}: {derived:?}");
    }
    // Text's metric is none of a task, and the message names those that are.
    let error = load("").unwrap_err().to_string();
    assert!(error.contains("valid/bits_per_byte") && error.contains("valid/sequence_accuracy"), "{error}");
}

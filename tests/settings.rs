//! Tests of `settings` from outside.

use ablate::{
    Error,
    data::recipe::Recipe,
    settings::{self, Document, Mistake, Problem},
    train::RunConfig,
};
use proptest::prelude::*;
use std::path::Path;

/// Files in a folder of their own.
fn files(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn mistakes<T: std::fmt::Debug>(result: ablate::Result<T>) -> Vec<Mistake> {
    match result.unwrap_err() {
        Error::Settings(mistakes) => mistakes,
        other => panic!("{other}"),
    }
}

fn wrong(text: &str) -> Vec<Mistake> {
    mistakes(Document::from_text("a.toml", text).unwrap().parse::<RunConfig>())
}

fn read(text: &str) -> RunConfig {
    Document::from_text("a.toml", text).unwrap().parse().unwrap()
}

fn help(mistake: &Mistake) -> &str {
    mistake.help.as_deref().unwrap_or_default()
}

fn json(config: &RunConfig, pointer: &str) -> serde_json::Value {
    serde_json::to_value(config).unwrap().pointer(pointer).cloned().unwrap_or_default()
}

#[test]
fn an_unknown_key_names_place_value_and_neighbour() {
    let found = wrong("[model]\nlayers = 2\nwidht = 64\n");
    let [mistake] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((mistake.file.as_str(), mistake.line, mistake.key.as_str()), ("a.toml", Some(3), "model.widht"));
    assert_eq!(mistake.value.as_deref(), Some("64"));
    assert!(help(mistake).contains("`width`") && help(mistake).contains("layers, width, context"), "{mistake}");
    assert!(mistake.to_string().starts_with("a.toml:3: model.widht = 64: unknown key"), "{mistake}");
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_file() {
    let found = wrong("[model]\nlayers = \"4\"\nwidth = 1.5\n[model.norm]\nkind = \"layr\"\n[trian]\nsteps = 1\n");
    let keys: Vec<_> = found.iter().map(|mistake| (mistake.line.unwrap(), mistake.key.as_str())).collect();
    assert_eq!(keys, [(2, "model.layers"), (3, "model.width"), (5, "model.norm.kind"), (6, "trian")]);
    assert!(help(&found[2]).contains("\"layer\"") && help(&found[2]).contains("rms, layer, dyt, none"));
    assert!(help(&found[3]).contains("`train`"));
}

#[test]
fn wrong_types_say_what_to_write() {
    for (text, message, advice) in [
        ("model.layers = '4'", "found a string", "without quotes"),
        ("model.layers = 4.0", "found a float", "write 4 "),
        ("model.layers = 4.5", "found a float", ""),
        ("model.layers = -1", "an integer of at least 0", ""),
        ("model.layers = true", "found a boolean", ""),
        ("model.norm = 'rms'", "expected a table", "model.norm.kind = \"rms\""),
        ("model.norm.kind = 3", "found an integer", ""),
        ("model.norm.eps = inf", "finite", ""),
        ("model.norm.gain = 1", "true or false", ""),
        ("model = 3", "expected a table", "layers"),
        ("model.attention.pattern = 'full'", "a list of", "[\"full\"]"),
        ("model.attention.pattern = ['ful']", "unknown value", "\"full\""),
        ("model.attention.kv_heads = 'two'", "an integer", ""),
        ("model.attention.bias = 'yes'", "true or false or a table", ""),
        ("model.attention.bias.qery = true", "unknown key", "`query`"),
        ("model.feed_forward.hidden = 'machted'", "unknown value", "\"matched\""),
        ("model.feed_forward.hidden = true", "an integer of at least 0, a table with the key `rule` or \"matched\"", ""),
        ("model.feed_forward.hidden = { rule = 'multiple' }", "is missing", "a number"),
        ("model.feed_forward.hidden.factor = 4", "unknown key for rule = \"llama\"", "\"multiple\""),
        ("data.corpus.kind = 'text'", "is missing", "a list of strings"),
        ("train.steps = 2020-01-01", "found a date", ""),
        ("width = 4", "unknown key", "`model.width`"),
    ] {
        let text = text.replace('\'', "\"");
        let found = wrong(&text);
        let [mistake] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert!(mistake.message.contains(message), "{text}: {mistake}");
        assert!(help(mistake).contains(&advice.replace('\'', "\"")), "{text}: {mistake}");
        assert_eq!((mistake.file.as_str(), mistake.line), ("a.toml", Some(1)), "{text}");
    }
}

#[test]
fn a_file_that_is_no_toml_names_the_line() {
    let found = mistakes(Document::from_text("a.toml", "[model]\nlayers = = 3\n"));
    assert_eq!((found[0].line, found[0].key.as_str()), (Some(2), ""));
    assert!(found[0].to_string().starts_with("a.toml:2: no TOML"), "{}", found[0]);
    let found = mistakes(Document::from_text("a.toml", "a = 1\na = 2\n"));
    assert_eq!(found[0].line, Some(2));
}

#[test]
fn later_layers_win() {
    let folder = files(&[
        ("c.toml", "[model]\nlayers = 1\nwidth = 1\ncontext = 1\n"),
        ("b/b.toml", "extends = '../c.toml'\n[model]\nwidth = 2\ncontext = 2\n"),
        ("d.toml", "[train]\nsteps = 7\n[model]\ncontext = 9\n"),
        ("a.toml", "extends = ['d.toml', 'b/b.toml']\nmodel.attention.heads = 3\n"),
    ]);
    let mut document = Document::load(&folder.path().join("a.toml")).unwrap();
    document.set("model.attention.heads = 5", "--set").unwrap();
    let config: RunConfig = document.parse().unwrap();
    let model = &config.model;
    assert_eq!((model.layers, model.width, model.context, model.attention.heads, config.train.steps), (1, 2, 2, 5, 7));
    let origin = |key: &str| document.origin(key).unwrap();
    assert!(origin("model.width").file.ends_with("b.toml"));
    assert_eq!((origin("model.width").line, origin("model.layers").line), (Some(3), Some(2)));
    assert_eq!((origin("model.attention.heads").file.as_str(), origin("model.attention.heads").line), ("--set", None));
    let layers = ["train.steps", "model.layers", "model.width", "model.attention.heads"].map(|key| origin(key).layer);
    assert!(layers.is_sorted_by(|a, b| a < b), "{layers:?}");
    assert_eq!(document.origin("model.vocab"), None);
}

#[test]
fn a_missing_base_names_the_chain_and_the_line() {
    let folder = files(&[("a.toml", "# base\nextends = 'b.toml'\n"), ("b.toml", "extends = 'tiny-lama.toml'\n"), ("tiny-llama.toml", "")]);
    let found = mistakes(Document::load(&folder.path().join("a.toml")));
    let mistake = &found[0];
    assert!(mistake.file.ends_with("b.toml"));
    assert_eq!((mistake.line, mistake.key.as_str(), mistake.value.as_deref()), (Some(1), "extends", Some("'tiny-lama.toml'")));
    assert!(mistake.message.contains("no such file") && mistake.message.contains("a.toml -> "), "{mistake}");
    assert!(help(mistake).contains("tiny-llama.toml"));
    let error = Document::load(&folder.path().join("tiny-lama.toml")).unwrap_err();
    assert!(matches!(&error, Error::Input { help, .. } if help.contains("tiny-llama.toml")), "{error}");
    assert!(matches!(Document::load(folder.path()).unwrap_err(), Error::Input { .. }));
}

#[test]
fn a_cycle_names_all_its_files() {
    let folder =
        files(&[("a.toml", "extends = 'b.toml'\n"), ("b.toml", "\nextends = './x/../a.toml'\n"), ("x/c.toml", "extends = 'c.toml'\n")]);
    let found = mistakes(Document::load(&folder.path().join("a.toml")));
    assert!(found[0].message.contains("cycle") && found[0].message.matches("a.toml").count() == 2, "{}", found[0]);
    assert_eq!((found[0].file.ends_with("b.toml"), found[0].line), (true, Some(2)));
    assert!(mistakes(Document::load(&folder.path().join("x/c.toml")))[0].message.contains("cycle"));
}

#[test]
fn one_file_may_be_a_base_twice() {
    let folder = files(&[("a.toml", "extends = ['b.toml', 'c.toml']"), ("b.toml", "extends = 'c.toml'"), ("c.toml", "train.steps = 3")]);
    assert_eq!(Document::load(&folder.path().join("a.toml")).unwrap().parse::<RunConfig>().unwrap().train.steps, 3);
}

#[test]
fn extends_must_be_a_path() {
    let folder = files(&[("a.toml", "extends = 3"), ("b.toml", "extends = ['a.toml', 3]"), ("c.toml", "\u{feff}train.steps = 3")]);
    assert_eq!(mistakes(Document::load(&folder.path().join("a.toml")))[0].key, "extends");
    std::fs::write(folder.path().join("d.toml"), b"a = '\xff'").unwrap();
    assert!(Document::load(&folder.path().join("d.toml")).unwrap_err().to_string().contains("UTF-8"));
    assert_eq!(Document::load(&folder.path().join("c.toml")).unwrap().parse::<RunConfig>().unwrap().train.steps, 3);
}

#[test]
fn set_reads_values_and_bare_strings() {
    let mut document = Document::new("a.toml");
    for text in [
        "model.norm.kind=layer",
        "model.norm.eps = 1e-6",
        "model.feed_forward.hidden={ rule = \"llama\", multiple_of = 8 }",
        "model.attention.pattern=[\"window\", \"full\"]",
        "\"model\".attention.window=64",
        "data.tokenizer.kind=\"bytes\"",
    ] {
        document.set(text, "--set").unwrap();
    }
    let config: RunConfig = document.parse().unwrap();
    assert_eq!(
        json(&config, "/model/norm"),
        serde_json::json!({"kind": "layer", "eps": 1e-6, "gain": true, "bias": true, "depth_scale": false})
    );
    assert_eq!(json(&config, "/model/feed_forward/hidden/multiple_of"), 8);
    assert_eq!(json(&config, "/model/attention/pattern"), serde_json::json!(["window", "full"]));
    assert_eq!((json(&config, "/model/attention/window"), json(&config, "/data/tokenizer/kind")), (64.into(), "bytes".into()));
    for text in ["model.norm.kind", "=3", "a..b=3", "a b=3"] {
        assert!(matches!(document.set(text, "--set"), Err(Error::Input { .. })), "{text}");
    }
    document.set("model.norm.kind=rsm", "--set").unwrap();
    let found = mistakes(document.parse::<RunConfig>());
    assert!(found[0].to_string().starts_with("--set: model.norm.kind = rsm: unknown value"), "{}", found[0]);
    document.set("model.norm.kind=rms\nx=3", "--set").unwrap();
    assert!(!mistakes(document.parse::<RunConfig>()).is_empty());
}

#[test]
fn a_changed_kind_drops_what_lower_layers_set_for_the_other() {
    let base = "[model.norm]\nkind = 'dyt'\nalpha = 0.7\ndepth_scale = true\n[model.position]\nkind = 'rope'\nscaling = { kind = 'linear', factor = 2 }\n";
    let mut document = Document::from_text("base.toml", base).unwrap();
    let upper = Document::from_text("arm.toml", "set = { 'model.norm.kind' = 'rms', 'model.position.kind' = 'alibi' }").unwrap();
    document.overlay(&upper.overrides("set").unwrap());
    let config: RunConfig = document.parse().unwrap();
    assert_eq!(
        json(&config, "/model/norm"),
        serde_json::json!({"kind": "rms", "eps": 1e-5, "unit_offset": false, "gain": true, "depth_scale": true})
    );
    assert_eq!(json(&config, "/model/position/kind"), "alibi");
    // A key at the layer of the kind, or above, is a mistake.
    document.set("model.norm.alpha=0.5", "--set").unwrap();
    let found = mistakes(document.parse::<RunConfig>());
    assert_eq!((found.len(), found[0].key.as_str(), found[0].file.as_str()), (1, "model.norm.alpha", "--set"));
    assert!(found[0].message.contains("kind = \"rms\"") && help(&found[0]).contains("\"dyt\""), "{}", found[0]);
    // With the kind beside it, the same key is fine.
    document.set("model.norm.kind=dyt", "--set").unwrap();
    assert_eq!(json(&document.parse().unwrap(), "/model/norm/alpha"), 0.5);
}

#[test]
fn a_changed_kind_does_not_hide_misspellings() {
    let mut document = Document::from_text("base.toml", "[model.norm]\nkind = 'rms'\nepss = 1e-6\n").unwrap();
    document.set("model.norm.kind=dyt", "--set").unwrap();
    let found = mistakes(document.parse::<RunConfig>());
    assert_eq!((found.len(), found[0].key.as_str(), found[0].line), (1, "model.norm.epss", Some(3)));
    let found = wrong("[model.norm]\nkind = 'rms'\nalpha = 0.5\n");
    assert_eq!((found.len(), found[0].key.as_str()), (1, "model.norm.alpha"));
}

#[test]
fn without_a_kind_that_of_the_default_holds() {
    let config =
        read("schedule.warmup = 30\nmodel.norm.eps = 1e-6\nmodel.feed_forward.hidden.multiple_of = 8\ndata.tokenizer.kind = 'bpe'\n");
    assert_eq!(json(&config, "/schedule"), serde_json::json!({"kind": "cosine", "warmup": 30, "floor": 0.1}));
    assert_eq!((json(&config, "/model/norm/kind"), json(&config, "/model/norm/eps")), ("rms".into(), 1e-6.into()));
    assert_eq!(json(&config, "/model/feed_forward/hidden/multiple_of"), 8);
    assert_eq!(json(&config, "/data/tokenizer/vocab"), 4096);
    // The embedding's norm has another default than norms elsewhere.
    assert_eq!(wrong("model.embedding.norm.eps = 1e-6")[0].key, "model.embedding.norm.eps");
}

#[test]
fn values_replace_tables_and_tables_values() {
    let mut document =
        Document::from_text("a.toml", "model.feed_forward.hidden = { rule = 'llama', multiple_of = 8 }\nmodel.attention.bias = true")
            .unwrap();
    document.set("model.feed_forward.hidden=512", "--set").unwrap();
    document.set("model.attention.bias.query=true", "--set").unwrap();
    let config: RunConfig = document.parse().unwrap();
    assert_eq!(json(&config, "/model/feed_forward/hidden"), 512);
    assert_eq!(json(&config, "/model/attention/bias/key"), false);
    let asked = settings::Origin { file: "a.toml".into(), line: Some(2), ..Default::default() };
    document.set_value("model.feed_forward.hidden", toml::Value::Integer(343), &asked);
    assert_eq!(json(&document.parse().unwrap(), "/model/feed_forward/hidden"), 343);
    let found = document.origin("model.feed_forward.hidden").unwrap();
    assert_eq!((found.file, found.line, found.text), ("a.toml".into(), Some(2), "343".into()));
    document.set("model.feed_forward.hidden.rule=multiple", "--set").unwrap();
    document.set("model.feed_forward.hidden.factor=4", "--set").unwrap();
    assert_eq!(json(&document.parse().unwrap(), "/model/feed_forward/hidden/factor"), 4.0);
}

#[test]
fn an_experiment_is_laid_over_its_base() {
    let folder = files(&[
        ("configs/base.toml", "[model]\nlayers = 2\n[data.corpus]\nkind = 'text'\npaths = ['texts/*.txt', '/abs']\n"),
        (
            "questions/q.toml",
            "name = 'q'\nbase = '../configs/base.toml'\nset.train.steps = 5\n\n[[arm]]\nname = 'a'\nset = { 'model.norm.kind' = 'layer' }\n\
             [[arm]]\nname = 'b'\n[arm.set]\nmodel.norm.kind = 'dyt'\n'data.tokenizer' = { kind = 'file', path = 't.json' }\nmodel.layers = 0.5\n",
        ),
    ]);
    let mut experiment = Document::load(&folder.path().join("questions/q.toml")).unwrap();
    assert_eq!(experiment.len_of("arm"), 2);
    let base = experiment.load_at("base").unwrap();
    let arm = |index: usize| {
        let mut run = base.clone();
        run.overlay(&experiment.overrides("set").unwrap());
        run.set("train.batch=3", "--set").unwrap();
        run.overlay(&experiment.overrides(&format!("arm[{index}].set")).unwrap());
        run.make_paths_absolute(&["data.corpus.paths", "data.tokenizer.path"]).unwrap();
        run
    };
    let config: RunConfig = arm(0).parse().unwrap();
    assert_eq!((config.model.layers, config.train.steps, config.train.batch), (2, 5, 3));
    assert_eq!(json(&config, "/model/norm/kind"), "layer");
    let root = folder.path().to_str().unwrap();
    assert_eq!(json(&config, "/data/corpus/paths"), serde_json::json!([format!("{root}/configs/texts/*.txt"), "/abs"]));
    let second = arm(1);
    assert_eq!(second.value("data.tokenizer.path").unwrap(), format!("{root}/questions/t.json"));
    let found = mistakes(second.parse::<RunConfig>());
    assert_eq!((found[0].file.ends_with("q.toml"), found[0].line, found[0].key.as_str()), (true, Some(13), "model.layers"));
    assert_eq!(
        experiment.overrides("arm[1].set").unwrap().written_keys(),
        ["model.norm.kind", "model.layers", "data.tokenizer.kind", "data.tokenizer.path"]
    );
    assert_eq!(experiment.take("set").unwrap().written_keys(), ["train.steps"]);
    assert!(experiment.section("set").is_none() && experiment.overrides("arm[2].set").is_none());
    let found = mistakes(Document::load(&folder.path().join("questions/q.toml")).unwrap().load_at("bas"));
    assert_eq!(found[0].key, "bas");
}

#[test]
fn problems_are_located() {
    let document = Document::from_text("a.toml", "\n[model]\nwidth = 64\n[model.attention]\nheads = 5\n").unwrap();
    let problems =
        ["model.attention.heads", "model.attention.kv_heads", "train.steps"].map(|key| Problem::new(key, "is wrong").help("mend it"));
    let Error::Settings(found) = document.locate(problems.into()) else { panic!() };
    assert_eq!(found[0].to_string(), "a.toml:5: model.attention.heads = 5: is wrong\n  help: mend it");
    assert_eq!(found[1].to_string(), "a.toml:4: model.attention.kv_heads: is wrong (not written: a default)\n  help: mend it");
    assert_eq!(found[2].to_string(), "a.toml: train.steps: is wrong (not written: a default)\n  help: mend it");
}

/// The shapes that experiments have and runs have not: required keys, optional tables, free tables, lists of tables.
#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// Name.
    name: String,
    /// Either a number or a list.
    #[serde(default)]
    seeds: Option<Seeds>,
    /// Anything.
    #[serde(default)]
    set: std::collections::BTreeMap<String, serde_json::Value>,
    /// A table or nothing.
    #[serde(default, rename = "match")]
    matching: Option<Matching>,
    /// Tables.
    #[serde(default, rename = "arm")]
    arms: Vec<Arm>,
}

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Seeds {
    Count(u64),
    List(Vec<u64>),
}

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Matching {
    /// A key.
    parameters: String,
    /// At most 255.
    #[serde(default)]
    tolerance: u8,
}

#[derive(Debug, PartialEq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arm {
    /// Its name.
    name: String,
}

#[test]
fn other_types_are_read_and_refused_by_place() {
    let parse = |text: &str| Document::from_text("q.toml", text).unwrap().parse::<Question>();
    let question =
        parse("name = 'q'\nseeds = [1, 2]\nset = { 'a.b' = 1, c.d = [true] }\nmatch.parameters = 'w'\n[[arm]]\nname = 'x'\n").unwrap();
    assert_eq!((question.seeds, question.arms[0].name.as_str()), (Some(Seeds::List(vec![1, 2])), "x"));
    assert_eq!(serde_json::to_value(question.set).unwrap(), serde_json::json!({"a.b": 1, "c": {"d": [true]}}));
    let wrong = "seeds = [1, 'x']\nmatch = 3\n[[arm]]\nname = 'x'\n[[arm]]\nnmae = 'y'\n[[arm]]\n";
    let found: Vec<_> = mistakes(parse(wrong)).into_iter().map(|mistake| (mistake.line, mistake.key, mistake.message)).collect();
    let found: Vec<_> = found.iter().map(|(line, key, message)| (*line, key.as_str(), message.as_str())).collect();
    let expected = [
        (None, "name", "is missing"),
        (Some(1), "seeds[1]", "expected an integer of at least 0, found a string"),
        (Some(2), "match", "expected a table, found an integer"),
        (Some(6), "arm[1].nmae", "unknown key"),
        (Some(5), "arm[1].name", "is missing"),
        (Some(7), "arm[2].name", "is missing"),
    ];
    let mut sorted = expected;
    sorted.sort_by_key(|(line, ..)| *line);
    assert_eq!(found, sorted);
    assert!(mistakes(parse("name = 'q'\nmatch = { parameters = 'w', tolerance = 256 }"))[0].message.contains("from 0 to 255"));
    assert!(settings::explain::<Question>("arm.name").unwrap().contains("Its name."));
    assert!(settings::explain::<Question>("match.tolerance").unwrap().contains("At most 255."));
}

/// Keys of `T` that `explain` says nothing of.
fn silent_keys<T: schemars::JsonSchema>() -> Vec<String> {
    let mut keys = settings::keys::<T>();
    assert!(keys.len() > 100, "{}", keys.len());
    keys.retain(|key| {
        let text = settings::explain::<T>(key).unwrap();
        // The line after the key, or after the variant it belongs to.
        text.split("\n  with ").any(|part| {
            let meaning = part.lines().nth(1).unwrap_or_default().trim();
            let heading = part.lines().skip(1).all(|line| line.trim().is_empty());
            !heading && (meaning.is_empty() || ["type ", "default ", "allowed"].iter().any(|word| meaning.starts_with(word)))
        })
    });
    keys
}

#[test]
fn every_key_has_a_meaning() {
    assert_eq!(silent_keys::<RunConfig>(), [""; 0]);
    assert_eq!(silent_keys::<Recipe>(), [""; 0]);
}

#[test]
fn every_variant_and_word_has_a_meaning() {
    fn walk(schema: &serde_json::Value, path: &str, silent: &mut Vec<String>) {
        if let Some(variants) = schema.get("oneOf").and_then(|list| list.as_array()) {
            for (i, variant) in variants.iter().enumerate() {
                if variant.get("description").is_none() {
                    silent.push(format!("{path}[{i}]"));
                }
            }
        }
        for (name, below) in schema.as_object().into_iter().flatten() {
            walk(below, &format!("{path}/{name}"), silent);
        }
    }
    let mut silent = Vec::new();
    walk(&schemars::schema_for!(RunConfig).to_value(), "run", &mut silent);
    walk(&schemars::schema_for!(Recipe).to_value(), "recipe", &mut silent);
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn explain_says_meaning_default_and_allowed_values() {
    let said = |key: &str| settings::explain::<RunConfig>(key).unwrap();
    let norm = said("model.norm");
    assert!(
        norm.contains("Every norm") && norm.contains("Zhang & Sennrich 2019") && norm.contains("eps, unit_offset, gain, depth_scale"),
        "{norm}"
    );
    let kind = said("model.norm.kind");
    assert!(kind.contains("default  \"rms\"") && kind.contains("layer  LayerNorm"), "{kind}");
    let eps = said("model.norm.eps");
    assert!(
        eps.contains("65B: 1e-5") && eps.contains("a number") && eps.contains("default  1e-5") && eps.contains("with kind = \"layer\""),
        "{eps}"
    );
    assert!(said("model.embedding.norm.kind").contains("default  \"none\""));
    assert!(said("model.attention.kv_heads").contains("not set"));
    for (wrong, right) in
        [("model.nrom", "model.norm"), ("widht", "model.width"), ("model.norm.epss", "model.norm.eps"), ("eps", "model.norm.eps")]
    {
        let error = settings::explain::<RunConfig>(wrong).unwrap_err();
        assert!(matches!(&error, Error::Input { help, .. } if help.contains(right)), "{error}");
    }
    assert!(settings::explain::<RunConfig>("model.norm.kind.rms").is_err());
    assert_eq!(settings::sections::<RunConfig>().lines().count(), 8);
}

#[test]
fn explain_says_what_options_of_steps_mean() {
    let said = |key: &str| settings::explain::<Recipe>(key).unwrap();
    let apply = said("step.apply");
    assert!(
        apply.contains("minhash") && apply.contains("Drops documents that are nearly the same.") && apply.contains("bands, rows"),
        "{apply}"
    );
    let bands = said("step.apply.bands");
    assert!(bands.contains("with kind = \"minhash\"") && bands.contains("an integer") && bands.contains("default  14"), "{bands}");
    // The steps of a source are the same ones.
    assert_eq!(said("source.step.apply.bands").lines().skip(1).collect::<Vec<_>>(), bands.lines().skip(1).collect::<Vec<_>>());
    assert!(said("step.apply.preset").contains("c4-jmlr"));
    assert!(said("source.damage").contains("skip") && said("output.file_bytes").contains("default  268435456"));
    let error = settings::explain::<Recipe>("minhash.bands").unwrap_err();
    assert!(matches!(&error, Error::Input { help, .. } if help.contains("step.apply.bands")), "{error}");
}

#[test]
fn the_published_schema_allows_layers() {
    let schema = settings::schema::<RunConfig>();
    assert!(schema.pointer("/properties/extends").is_some());
    let norm = schema.pointer("/$defs/NormConfig").unwrap();
    assert!(norm.get("oneOf").is_none() && norm["anyOf"].as_array().unwrap().iter().all(|variant| variant.get("required").is_none()));
}

#[test]
fn the_shipped_base_is_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/tiny-llama.toml");
    let config: RunConfig = Document::load(&path).unwrap().parse().unwrap();
    let mut expected = RunConfig::default();
    expected.model.feed_forward.hidden = serde_json::from_value(serde_json::json!({"rule": "llama", "multiple_of": 8})).unwrap();
    expected.data.tokenizer = serde_json::from_value(serde_json::json!({"kind": "bpe", "vocab": 1024})).unwrap();
    expected.schedule = serde_json::from_value(serde_json::json!({"kind": "cosine", "warmup": 30})).unwrap();
    expected.optimizer = serde_json::from_value(serde_json::json!({"kind": "adamw", "lr": 3e-3})).unwrap();
    expected.train.steps = 300;
    assert_eq!(config, expected);
}

fn program(folder: &Path, arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_ablate")).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn a_new_experiment_stands_beside_its_base_and_is_not_overwritten() {
    let folder = files(&[]);
    let output = program(folder.path(), &["new", "question"]);
    assert!(output.status.success(), "{output:?}");
    let path = folder.path().join("question.toml");
    let document = Document::load(&path).unwrap();
    assert_eq!((document.value("name").unwrap(), document.len_of("arm")), ("question".into(), 2));
    for index in 0..2 {
        let mut run = document.load_at("base").unwrap();
        let base: RunConfig = run.parse().unwrap();
        run.overlay(&document.overrides(&format!("arm[{index}].set")).unwrap());
        assert_ne!(run.parse::<RunConfig>().unwrap(), base);
    }
    std::fs::write(&path, "mine").unwrap();
    std::fs::write(folder.path().join("tiny-llama.toml"), "mine too").unwrap();
    assert_eq!(program(folder.path(), &["new", "question"]).status.code(), Some(2));
    assert!(program(folder.path(), &["new", "other.toml"]).status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(folder.path().join("tiny-llama.toml")).unwrap(), "mine too");
    for name in ["", "no/such/folder", "..", "a b", "tiny-llama"] {
        assert_eq!(program(folder.path(), &["new", name]).status.code(), Some(2), "{name}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 3);
}

#[test]
fn the_verbs_for_reference_print_and_refuse() {
    let here = Path::new(".");
    let text = |arguments: &[&str]| String::from_utf8(program(here, arguments).stdout).unwrap();
    assert!(text(&["explain"]).contains("schedule"));
    assert!(text(&["explain", "model.norm.eps"]).contains("mean square"));
    assert!(text(&["explain", "match.tolerance"]).contains("0.005"));
    assert!(text(&["explain", "arm.set"]).contains("model.norm.kind"));
    let all = text(&["explain", "--all"]);
    for key in ["model.norm.kind", "design.kind", "arm.name", "step.apply.bands", "name"] {
        assert_eq!(all.lines().filter(|line| *line == key).count(), 1, "{key}");
    }
    assert!(text(&["explain", "step.apply.bands"]).contains("default  14"));
    // Two kinds of file have a key of that name, and of what is below it only one.
    let source = text(&["explain", "source"]);
    assert!(source.contains("Of an experiment:") && source.contains("Of a recipe of data:"), "{source}");
    assert!(text(&["explain", "source.paths"]).starts_with("source.paths\n"));
    let experiments: serde_json::Value = serde_json::from_str(&text(&["schema"])).unwrap();
    for key in ["question", "arm", "match", "design", "extends"] {
        assert!(experiments["properties"].get(key).is_some(), "{key}");
    }
    assert!(serde_json::from_str::<serde_json::Value>(&text(&["schema", "run"])).unwrap().get("$defs").is_some());
    let recipes: serde_json::Value = serde_json::from_str(&text(&["schema", "recipe"])).unwrap();
    for key in ["source", "step", "output", "limits", "extends"] {
        assert!(recipes["properties"].get(key).is_some(), "{key}");
    }
    assert!(text(&["completions", "zsh"]).contains("#compdef ablate"));
    let wrong = program(here, &["explain", "model.nrom"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean model.norm?"));
    // Keys of experiments and recipes are guessed as well.
    for (wrong, right) in
        [("sedes", "seeds?"), ("arm.nmae", "arm.name"), ("minhash.bands", "step.apply.bands"), ("source.pahts", "source.paths")]
    {
        let said = program(here, &["explain", wrong]);
        assert!(String::from_utf8_lossy(&said.stderr).contains(right), "{}", String::from_utf8_lossy(&said.stderr));
    }
    // Code and tables keep their lines.
    let explained = text(&["explain", "match"]);
    assert!(explained.lines().any(|line| line.trim() == "[match]") && !explained.contains("```"), "{explained}");
    let explained = text(&["explain", "model.mup"]);
    assert!(explained.lines().any(|line| line.trim().starts_with("head ")) && !explained.contains("|---"), "{explained}");
    let folder = program(here, &["plan", "."]);
    assert!(String::from_utf8_lossy(&folder.stderr).contains("error: .: is a folder, not a file"));
    assert_eq!(program(here, &["completions", "no-shell"]).status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ablate"));
    let output =
        command.args(["schema", "run"]).stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Assignments that are right whatever else is set.
fn assignment() -> impl Strategy<Value = String> {
    let word =
        |key: &'static str, words: &'static [&'static str]| proptest::sample::select(words).prop_map(move |word| format!("{key}={word}"));
    prop_oneof![
        word("model.norm.kind", &["rms", "layer", "dyt", "none"]),
        word("model.position.kind", &["rope", "learned", "sinusoidal", "alibi", "t5", "none"]),
        word("model.embedding.norm.kind", &["rms", "none"]),
        word("model.attention.qk_norm.kind", &["none", "per_head", "full_width"]),
        word("model.feed_forward.kind", &["relu", "geglu_tanh"]),
        word("model.residual.scale.kind", &["none", "depth", "learned", "deepnorm"]),
        word("model.attention.bias", &["true", "{ query = true }"]),
        word("model.feed_forward.hidden", &["512", "matched", "{ rule = 'llama' }", "{ rule = 'multiple', factor = 4 }"]),
        word("model.init.kind", &["normal", "gpt2", "mitchell", "small", "xavier", "truncated"]),
        word("schedule.kind", &["cosine", "constant", "linear"]),
        (1e-12..1e3f64).prop_map(|lr| format!("optimizer.lr={lr:e}")),
        any::<u32>().prop_map(|seed| format!("train.seed={seed}")),
        (1..9usize).prop_map(|heads| format!("model.attention.kv_heads={heads}")),
    ]
}

proptest! {
    #[test]
    fn what_is_serialised_is_read_back(assignments in proptest::collection::vec(assignment(), 0..12)) {
        let mut document = Document::new("--set");
        for (i, text) in assignments.iter().enumerate() {
            // Each in a layer of its own, so that a changed kind drops what was set before.
            document.set(text, &format!("layer {i}")).unwrap();
        }
        let config: RunConfig = document.parse().unwrap();
        let text = toml::to_string(&config).unwrap();
        prop_assert_eq!(Document::from_text("again.toml", &text).unwrap().parse::<RunConfig>().unwrap(), config);
    }

    #[test]
    fn no_assignment_panics(text in "\\PC{0,40}") {
        let mut document = Document::new("--set");
        if document.set(&text, "--set").is_ok() {
            let _ = document.parse::<RunConfig>();
        }
        let _ = settings::explain::<RunConfig>(&text);
        let _ = document.locate(vec![Problem::new(text, "any")]).to_string();
    }
}

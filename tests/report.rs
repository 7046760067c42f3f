//! Tests of `report` from outside.

mod designs;
mod example;
mod markup;

use ablate::{
    experiment::{Summary, Verdict},
    report,
    train::Outcome,
};
use std::{fs, path::Path};

/// Writes the report of `summary` with runs of 400 steps, and hands back the page.
fn page(summary: &Summary) -> String {
    let folder = tempfile::tempdir().unwrap();
    example::write_runs(folder.path(), summary, 400);
    page_in(folder.path(), summary)
}

fn page_in(folder: &Path, summary: &Summary) -> String {
    report::write(folder, summary).unwrap();
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    let elements = markup::read(&page);
    for (name, value) in elements.iter().flat_map(|e| &e.attributes) {
        if matches!(name.as_str(), "d" | "x" | "y" | "x1" | "x2" | "y1" | "y2" | "cx" | "cy") {
            assert!(!value.contains("NaN") && !value.contains("inf"), "{name}={value}");
        }
        assert!(name != "src" && (name != "href" || !value.contains(':')), "the page must stand alone: {name}={value}");
    }
    page
}

fn twelve() -> Vec<example::Arm<'static>> {
    const NAMES: [&str; 12] =
        ["relu", "gelu", "gelu-tanh", "silu", "relu-squared", "glu", "bilinear", "reglu", "geglu", "swiglu", "swiglu-bias", "maxout"];
    let verdict = |i: usize| [Verdict::Better, Verdict::NoDifference, Verdict::Worse, Verdict::Undecided][i % 4];
    let arm = |(i, name): (usize, &&'static str)| (*name, -0.01 + 0.003 * i as f64, if i == 0 { Verdict::Base } else { verdict(i - 1) });
    NAMES.iter().enumerate().map(arm).collect()
}

#[test]
fn the_summary_file_holds_every_field_and_reads_back() {
    let summary = example::summary(&example::LADDER, 5, true);
    let folder = tempfile::tempdir().unwrap();
    report::write(folder.path(), &summary).unwrap();
    let text = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for field in [
        "name",
        "reference",
        "parameters",
        "flops_per_token",
        "seeds",
        "mean",
        "ci95",
        "delta",
        "delta_ci95",
        "p",
        "p_adjusted",
        "verdict",
        "diverged",
        "failed",
        "tokens_per_second",
    ] {
        assert!(json["arms"][1].get(field).is_some(), "{field}");
    }
    assert_eq!(json["arms"][2]["verdict"], "no difference found");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["report.html", "summary.csv", "summary.json"], "nothing temporary stays behind");
}

#[test]
fn the_csv_has_one_row_per_arm_with_full_precision() {
    let mut summary = example::summary(&example::LADDER, 3, true);
    summary.arms[1].name = "pre, \"norm\"".into();
    summary.arms[2].mean = Some(f64::NAN);
    let folder = tempfile::tempdir().unwrap();
    report::write(folder.path(), &summary).unwrap();
    let mut reader = csv::Reader::from_path(folder.path().join("summary.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap_or_else(|| panic!("{name}"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), summary.arms.len());
    assert_eq!(&rows[1][column("name")], "pre, \"norm\"");
    assert_eq!(rows[1][column("mean")].parse::<f64>().unwrap(), summary.arms[1].mean.unwrap());
    assert_eq!(&rows[2][column("mean")], "");
    assert_eq!(&rows[0][column("delta")], "");
    assert_eq!(rows[4][column("valid/bits_per_byte seed 2")].parse::<f64>().ok(), summary.arms[4].values[&2]);
}

#[test]
fn a_page_has_its_parts_in_order() {
    let page = page(&example::summary(&example::LADDER, 5, true));
    let parts = [
        "<h1>",
        "class=\"question\"",
        "class=\"answer\"",
        "class=\"source\"",
        "id=\"results\"",
        "id=\"differences\"",
        "id=\"curves\"",
        "id=\"further\"",
        "id=\"seeds\"",
        "id=\"configuration\"",
        "id=\"limits\"",
        "id=\"provenance\"",
        "id=\"again\"",
    ];
    let places: Vec<usize> = parts.iter().map(|part| page.find(part).unwrap_or_else(|| panic!("{part}"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.contains("Of 5 arms, 3 are better than the arm each is compared with, 1 is worse and for 1 no difference was found."));
    assert!(page.contains("undefined") && page.contains("3f9c2d1") && page.contains(">flex<"));
    assert!(page.contains("Pilot: 4.46 training tokens per parameter"));
    assert!(page.contains("do not cover other corpora"));
    assert_eq!(page.matches("class=\"band").count(), 12, "a band per arm in each plot");
    assert_eq!(page.matches("svg class=\"forest\"").count(), 9 + 2, "five comparisons with the rung before, four with the base");
}

#[test]
fn hostile_text_is_shown_not_run() {
    let evil = "<script>alert('x')</script>\"&{{ 7*7 }}";
    let mut summary = example::summary(&[(evil, 0.0, Verdict::Base), ("b", -0.1, Verdict::Better)], 2, false);
    for text in [&mut summary.name, &mut summary.question, &mut summary.command, &mut summary.metric, &mut summary.version] {
        *text = evil.into();
    }
    (summary.source, summary.expected) = (Some(evil.into()), Some(evil.into()));
    (summary.warnings, summary.post_hoc) = (vec![evil.into()], vec![evil.into()]);
    for arm in &mut summary.arms {
        arm.verdict_text = evil.into();
        arm.metrics = [(evil.to_string(), arm.metrics["valid/bits_per_byte@2x"].clone())].into();
        arm.folders = [(0, "../../etc".to_string()), (1, "/etc".to_string())].into();
        for d in &mut arm.differences {
            (d.key, d.base, d.arm, d.origin) = (evil.into(), Some(evil.into()), None, evil.into());
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let page = page_in(folder.path(), &summary);
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own");
    assert!(!page.contains("alert('x')") && page.contains("&lt;script&gt;") && !page.contains("49"));
}

#[test]
fn an_arm_whose_runs_all_diverged_is_counted_and_drawn() {
    let mut summary = example::summary(&example::LADDER, 3, false);
    for seed in 0..3 {
        example::lose(&mut summary, 2, seed, Outcome::Diverged);
    }
    let arm = &mut summary.arms[2];
    (arm.mean, arm.ci95, arm.delta, arm.delta_ci95, arm.p, arm.p_adjusted) = (None, None, None, None, None, None);
    arm.verdict = Verdict::Undecided;
    arm.tokens_per_second = None;
    let comparison = &mut arm.comparisons[0];
    (comparison.pairs, comparison.delta, comparison.delta_ci95, comparison.p, comparison.p_adjusted) = (0, None, None, None, None);
    (comparison.detectable, comparison.verdict) = (None, Verdict::Undecided);
    let page = page(&summary);
    assert!(page.contains("3 diverged") && page.contains("loss was not finite at step 133") && page.contains("class=\"line stray c2"));
    assert!(page.contains("rmsnorm (no pair of finished runs)"));
    assert!(page.contains("Δ to reference"));
    let text = report::terminal(&summary, Some(100));
    assert!(text.contains("3/0") && !text.contains("NaN"), "{text}");
}

#[test]
fn numbers_that_are_none_do_not_reach_the_page() {
    let mut summary = example::summary(&example::LADDER, 2, true);
    let arm = &mut summary.arms[3];
    let nan = Some(f64::NAN);
    (arm.mean, arm.delta, arm.p, arm.p_adjusted, arm.tokens_per_second) = (nan, nan, nan, nan, nan);
    (arm.ci95, arm.delta_ci95) = (Some([f64::NAN; 2]), Some([f64::NEG_INFINITY, f64::INFINITY]));
    (arm.flops_per_token, arm.paired_parameters) = (f64::NAN, nan);
    (arm.comparisons[0].delta, arm.comparisons[1].delta_ci95) = (nan, Some([f64::NAN, f64::INFINITY]));
    summary.tokens_per_parameter = f64::NAN;
    let (page, text) = (page(&summary), report::terminal(&summary, Some(100)));
    for bad in ["NaN", ">inf", " inf", "-inf"] {
        assert!(!page.contains(bad) && !text.contains(bad), "{bad}");
    }
}

#[test]
fn one_seed_has_values_but_no_intervals() {
    let page = page(&example::summary(&example::LADDER, 1, true));
    assert!(page.contains("One seed gives no interval") && !page.contains("class=\"band"));
}

#[test]
fn an_experiment_without_runs_or_arms_still_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut summary = example::summary(&example::LADDER[..1], 2, false);
    let page = page_in(folder.path(), &summary);
    assert!(page.contains("nothing to compare") && page.contains("No metrics could be read"));
    (summary.arms, summary.seeds) = (vec![], vec![]);
    page_in(folder.path(), &summary);
    report::terminal(&summary, Some(80));
}

#[test]
fn exact_zeros_are_called_exact() {
    let mut summary = example::summary(&[("base", 0.0, Verdict::Base), ("again", 0.0, Verdict::NoDifference)], 3, false);
    let arm = &mut summary.arms[1];
    (arm.delta, arm.delta_ci95, arm.p, arm.p_adjusted) = (Some(0.0), Some([0.0, 0.0]), Some(1.0), Some(1.0));
    (arm.comparisons[0].delta_ci95, arm.comparisons[0].p_adjusted, arm.comparisons[0].detectable) =
        (Some([0.0, 0.0]), Some(1.0), Some(0.0));
    arm.differences.clear();
    let page = page(&summary);
    assert!(page.contains("exactly 0 in every pair") && page.contains("0 ± 0") && page.contains("[0, 0]") && page.contains("a control"));
    let text = report::terminal(&summary, Some(100));
    let row = text.lines().find(|line| line.starts_with("again ")).unwrap();
    assert!(row.contains("no difference found") && row.contains(" 0 "), "{row}");
}

#[test]
fn the_terminal_table_is_aligned_and_keeps_its_width() {
    let mut wide = example::summary(&twelve(), 5, false);
    wide.warnings = vec!["runs on two devices: flex (30 runs), cuda:0 (30 runs)".into()];
    wide.post_hoc = vec!["seeds: 3 planned, 5 run".into()];
    let mut long = example::summary(&example::LADDER, 5, true);
    long.arms[3].name = "an-arm-with-a-very-long-name-that-nobody-should-ever-write-but-somebody-will".into();
    example::lose(&mut long, 4, 2, Outcome::Failed);
    for summary in [&wide, &long] {
        for width in [72, 80, 100, 120] {
            let text = report::terminal(summary, Some(width));
            let rule = text.lines().position(|line| line.starts_with('─')).unwrap();
            let table: Vec<&str> = text.lines().skip(rule - 1).take(summary.arms.len() + 2).collect();
            assert!(table.iter().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            // A row per arm, and in each the verdict at the same place.
            let column = table[0].chars().count() - "verdict".len();
            for (line, arm) in table[2..].iter().zip(&summary.arms) {
                let rest: String = line.chars().skip(column).collect();
                let word = match arm.verdict {
                    Verdict::Base => "base",
                    Verdict::Better => "better",
                    Verdict::Worse => "worse",
                    Verdict::Equivalent => "equivalent",
                    Verdict::NotCompared => "not compared",
                    Verdict::NoDifference => "no difference",
                    Verdict::Undecided => "undecided",
                };
                assert!(rest.starts_with(word), "{width}: {line}");
            }
            assert!(!text.contains('\u{1b}'));
        }
    }
    let text = report::terminal(&wide, Some(100));
    assert!(text.contains("runs on two devices") && text.contains("3 planned, 5 run") && text.contains("do not cover other corpora"));
    assert!(text.contains("p (Holm)") && text.contains("Δ to relu") && text.contains("no difference found"));
    assert!(report::terminal_coloured(&wide, Some(100)).contains("\u{1b}[1;34mbetter\u{1b}[0m"));
}

#[test]
fn twelve_arms_and_long_names_are_drawn_apart() {
    let mut summary = example::summary(&twelve(), 4, false);
    summary.arms[5].name = "w".repeat(200);
    let page = page(&summary);
    let swatches: std::collections::BTreeSet<&str> =
        page.match_indices("<svg class=\"swatch\"").map(|(at, _)| page[at..].split("</svg>").next().unwrap()).collect();
    assert_eq!(swatches.len(), 12, "no two arms look the same");
}

#[test]
#[ignore = "writes reports to look at into the folder named by ABLATE_EXAMPLES"]
fn examples() {
    let Some(out) = std::env::var_os("ABLATE_EXAMPLES") else { return };
    let out = Path::new(&out);
    let ladder = example::summary(&example::LADDER, 5, true);
    let mut many = example::summary(&twelve(), 5, false);
    many.name = "feed-forward".into();
    many.arms[5].name = "an-arm-with-a-very-long-name-that-nobody-should-ever-write-but-somebody-will".into();
    many.arms[6].comparisons[0].delta_ci95 = Some([-0.3, 0.3]);
    many.warnings = vec!["Runs used two devices (flex, cuda:0): tokens/s cannot be compared between arms.".into()];
    many.post_hoc = vec!["seeds: the plan has 3, 5 were run".into()];
    example::lose(&mut many, 3, 2, Outcome::Diverged);
    example::lose(&mut many, 3, 4, Outcome::Diverged);
    for (name, summary) in [("ladder", &ladder), ("many", &many), ("one", &example::summary(&example::LADDER[..3], 1, false))] {
        let folder = out.join(name);
        fs::create_dir_all(&folder).unwrap();
        example::write_runs(&folder, summary, 2000);
        report::write(&folder, summary).unwrap();
        for width in [80, 100, 120] {
            println!("{}", report::terminal(summary, Some(width)));
        }
    }
}

/// What `ablate report` answers to a folder that is no experiment's: exit code 2, the path, nothing written.
#[test]
fn the_command_refuses_what_is_no_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path, reason: &str| {
        let output = assert_cmd::Command::cargo_bin("ablate").unwrap().arg("report").arg(path).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(reason) && error.contains("help:") && error.contains(path.to_str().unwrap()), "{error}");
        assert!(output.stdout.is_empty() && !path.join("report.html").exists());
    };
    refused(&folder.path().join("missing"), "no such folder");
    refused(folder.path(), "not an experiment's folder");
    fs::write(folder.path().join("plan.json"), "{}").unwrap();
    refused(folder.path(), "no records");
    fs::write(folder.path().join("records.jsonl"), "").unwrap();
    refused(folder.path(), "no records");
}

//! Tests of `report` from outside.

mod designs;
mod example;
mod large;
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
    assert_eq!((&rows[1][column("mismatch")], &rows[3][column("mismatch")]), ("", "-0.0041"));
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

/// What matching left is shown: the most of it in words, each arm's beside its changes.
#[test]
fn the_mismatch_that_is_left_is_shown() {
    let mut summary = example::summary(&example::LADDER, 5, true);
    let most = "parameters, by model.feed_forward.hidden, within 0.41 % (most: swiglu -0.41 %)";
    let page = page(&summary);
    assert!(page.contains(&format!("Made equal between the arms: {most}.")));
    assert_eq!(page.matches("matched by model.feed_forward.hidden = 341: -0.41 % parameters").count(), 1);
    assert!(flat(&report::terminal(&summary, Some(80))).contains(most));
    // One token is not "tokens".
    summary.tokens_per_parameter = 1.0;
    assert!(self::page(&summary).contains("Pilot: 1 training token per parameter"));
    summary.margin = Some(0.01);
    assert!(flat(&report::terminal(&summary, Some(80))).contains("their p is told with that verdict"));
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

/// A text without its line ends, wherever it was wrapped.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a tuned experiment with a margin and sequential seeds adds.
#[test]
fn tuning_margin_and_the_tests_beside_are_shown() {
    let summary = designs::tuned();
    let page = page(&summary);
    assert_eq!(page.matches("id=\"sensitivity-").count(), 2 * 4, "a title and a clip for each key and rung");
    assert_eq!(page.matches("class=\"ring").count(), 4 * 2, "what was chosen, by arm and key, in the last rung");
    assert!(page.contains("optimizer.lr = 0.03 is the highest value tried") && page.contains("A cross on the edge"));
    assert!(page.contains("class=\"margin\"") && page.contains("mark equal") && page.contains("whisker inner"));
    for text in ["2.4× narrower", "0.93", ">0.031<", "What would change this: the differences would have to move by 0.0"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(
        page.contains("for 1 the difference is smaller than the margin") && page.contains("Seeds were added one at a time, from 3 up to 8")
    );
    assert!(page.contains("take the values that were chosen as given") && page.contains("Made equal between the arms: parameters"));
    let text = flat(&report::terminal(&summary, Some(100)));
    for line in [
        "Tuning",
        "maxout: optimizer.lr = 0.03",
        "on the edge: optimizer.lr = 0.03 is the",
        "equivalent",
        "Cost",
        "120 runs, 96 of them tuning",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
}

/// Effects are what a factorial design compares; its cells are shown and compared with nothing.
#[test]
fn effects_are_rows_and_interactions_are_drawn() {
    let summary = designs::factorial();
    let page = page(&summary);
    assert_eq!(page.matches("svg class=\"forest\"").count(), 5 + 2, "a row per effect, head and axis");
    assert_eq!(page.matches("id=\"interaction-").count(), 2, "one pair of factors: a title and a clip");
    assert!(page.contains("Of 5 effects, 2 are better than the base&#x27;s level or the sum of single effects, 1 is worse"), "the answer");
    assert!(page.contains(">cell</span>") && page.contains("main effect") && page.contains(">interaction"));
    assert!(!page.contains("Δ to reference</th>") && !page.contains("not compared"));
    let at = page.find("id=\"interaction-0-title\"").unwrap();
    let plot = &page[at..at + page[at..].find("</svg>").unwrap()];
    assert_eq!(plot.matches("<circle").count(), 6, "each cell is the mean of two levels");
    for width in [72, 100] {
        let text = report::terminal(&summary, Some(width));
        let rows: Vec<&str> = text.lines().filter(|line| line.contains('×') && !line.starts_with(' ')).collect();
        assert_eq!(rows.len(), 2, "{text}");
        assert!(rows.iter().all(|line| line.chars().count() <= width) && flat(&text).contains("norm: rms: no difference"), "{text}");
    }
    // A cell without a result leaves a gap, not the mean of other cells.
    let mut gap = summary.clone();
    gap.arms[3].mean = None;
    let page = self::page(&gap);
    let plot = &page[page.find("id=\"interaction-0-title\"").unwrap()..];
    assert_eq!(plot[..plot.find("</svg>").unwrap()].matches("<circle").count(), 5);
}

#[test]
fn sizes_and_budgets_are_drawn_and_told() {
    let summary = designs::sizes();
    let page = page(&summary);
    assert!(page.contains("id=\"sizes-title\"") && page.contains("0.177") && page.contains("0.151 to 0.203"));
    assert!(
        page.contains("no fit: three sizes cannot tell a floor") && page.contains("grows with size") && page.contains("base of its size")
    );
    assert_eq!(page.matches("svg class=\"forest\"").count(), 3 + 2, "the base at other sizes is no comparison");
    let text = flat(&report::terminal(&summary, Some(100)));
    assert!(text.contains("base: exponent 0.177 (0.151 to 0.203), floor 1.620") && text.contains("grows with size"), "{text}");

    let summary = designs::budgets();
    let page = self::page(&summary);
    assert!(page.contains("id=\"budgets-title\"") && page.contains("1.29×") && page.contains("below the base&#x27;s smallest budget"));
    assert!(page.contains("base, other budget") && page.contains("breaks `params &lt;= 20e6`") && page.contains(">32.8M</td>"));
    let text = flat(&report::terminal(&summary, Some(80)));
    assert!(text.contains("rope: its compute is worth 1.29 times") && text.contains("theta-1e4 is the same run as base"), "{text}");
}

#[test]
fn every_design_reads_back_and_fills_the_csv() {
    for summary in [designs::tuned(), designs::factorial(), designs::sizes(), designs::budgets()] {
        let folder = tempfile::tempdir().unwrap();
        report::write(folder.path(), &summary).unwrap();
        let text = fs::read_to_string(folder.path().join("summary.json")).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
        let mut reader = csv::Reader::from_path(folder.path().join("summary.csv")).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), summary.arms.len() + summary.effects.len());
        let cell =
            |row: usize, name: &str| rows[row][header.iter().position(|h| h == name).unwrap_or_else(|| panic!("{name}"))].to_string();
        match summary.name.as_str() {
            "feed-forward" => {
                assert_eq!(
                    (cell(1, "verdict"), cell(1, "equivalence_p"), cell(1, "p_sign_flip")),
                    ("equivalent".into(), "0.0004".into(), "0.031".into())
                );
                assert_eq!(
                    (cell(3, "tuned"), cell(3, "tuning_runs")),
                    ("optimizer.lr = 0.03, optimizer.weight_decay = 0.1".into(), "24".into())
                );
            }
            "norm-position" => {
                assert_eq!((cell(1, "role"), cell(1, "delta"), cell(6, "role")), ("cell".into(), String::new(), "effect".into()));
                assert_eq!((cell(7, "name"), cell(7, "delta"), cell(7, "mean")), ("position: rope".into(), "-0.044".into(), String::new()));
            }
            "compute" => assert_eq!((cell(5, "role"), cell(5, "tokens")), ("base-of-budget".into(), "32768000".into())),
            _ => assert_eq!(cell(2, "role"), "base-of-size"),
        }
    }
}

/// However many runs an experiment has, its page can be opened: its size grows by the rows of its tables alone.
#[test]
fn a_thousand_runs_make_a_page_of_bounded_size() {
    let mut summary = designs::many(200);
    example::lose(&mut summary, 7, 3, Outcome::Diverged);
    let page = page(&summary);
    let size = page.len();
    assert!(size < 2_500_000, "{size} bytes");
    assert_eq!(page.matches("aria-pressed=\"false\"><svg").count(), 200 - 12, "the base and the best are shown at first");
    assert!(page.contains("At first the base and the 11 best of 200 arms are shown"));
    assert!(!page.contains("class=\"band"), "two hundred bands would hide each other");
    // Longer runs make no larger page.
    let folder = tempfile::tempdir().unwrap();
    let few = designs::many(40);
    let of = |steps: usize| {
        example::write_runs(folder.path(), &few, steps);
        page_in(folder.path(), &few).len() as f64
    };
    let (short, long) = (of(1000), of(6000));
    assert!(long < 1.1 * short, "{short} and {long} bytes");
    let text = flat(&report::terminal(&summary, Some(100)));
    assert!(text.contains("and 159 more, in report.html"));
}

#[test]
#[ignore = "writes reports to look at into the folder named by ABLATE_EXAMPLES"]
fn examples() {
    let Some(out) = std::env::var_os("ABLATE_EXAMPLES") else { return };
    let out = Path::new(&out);
    let mut ladder = example::summary(&example::LADDER, 5, true);
    example::lose(&mut ladder, 5, 2, Outcome::Diverged);
    let mut many = example::summary(&twelve(), 5, false);
    many.name = "twelve".into();
    many.arms[5].name = "an-arm-with-a-very-long-name-that-nobody-should-ever-write-but-somebody-will".into();
    many.arms[6].comparisons[0].delta_ci95 = Some([-0.3, 0.3]);
    many.warnings = vec!["Runs used two devices (flex, cuda:0): tokens/s cannot be compared between arms.".into()];
    many.post_hoc = vec!["seeds: the plan has 3, 5 were run".into()];
    example::lose(&mut many, 3, 2, Outcome::Diverged);
    example::lose(&mut many, 3, 4, Outcome::Diverged);
    let one = example::summary(&example::LADDER[..3], 1, false);
    for (name, summary) in [
        ("ladder", ladder),
        ("twelve", many),
        ("one", one),
        ("tuned", designs::tuned()),
        ("factorial", designs::factorial()),
        ("sizes", designs::sizes()),
        ("budgets", designs::budgets()),
        ("thousand", designs::many(200)),
    ] {
        let folder = out.join(name);
        fs::create_dir_all(&folder).unwrap();
        example::write_runs(&folder, &summary, if name == "thousand" { 4000 } else { 2000 });
        let start = std::time::Instant::now();
        report::write(&folder, &summary).unwrap();
        println!("{name}: {:.2} s", start.elapsed().as_secs_f64());
        if summary.arms.len() < 50 {
            [80, 100, 120].iter().for_each(|width| println!("{}", report::terminal(&summary, Some(*width))));
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

//! Arms whose runs lie on several devices, beside others that do not.

use super::Bench;
use std::fs;

#[test]
fn arms_may_lie_on_devices_of_their_own_and_the_records_say_so() {
    let bench = Bench::new(1, 14);
    bench.run("alone", &["--jobs", "1"], 0);
    let text = fs::read_to_string(bench.path("e.toml")).unwrap();
    let text = text
        .replace("= \"layer\" }", "= \"layer\", \"parallel.devices\" = 2, \"parallel.sharded\" = \"gradients\" }")
        .replace("= \"gelu\" }", "= \"gelu\", \"parallel.devices\" = 2, \"parallel.tensor\" = 2 }");
    fs::write(bench.path("e.toml"), text).unwrap();
    bench.run("laid", &["--jobs", "1"], 0);
    let records = |out: &str| bench.records(out).into_iter().map(|record| (record.arm.clone(), record.result)).collect::<Vec<_>>();
    let (alone, laid) = (records("alone"), records("laid"));
    assert_eq!(laid.len(), 4);
    for (arm, result) in laid {
        let layout = result.parallel.as_ref().map(|parallel| (parallel.devices, parallel.tensor));
        let expected = [("layer", (2, 1)), ("gelu", (2, 2))].into_iter().find(|(name, _)| *name == arm).map(|(_, layout)| layout);
        assert_eq!(layout, expected, "{arm}");
        let (_, same) = alone.iter().find(|(name, _)| *name == arm).unwrap();
        assert_eq!((&result.id, &result.data_hash), (&same.id, &same.data_hash), "{arm}");
        for (name, value) in &result.metrics {
            assert!((value / same.metrics[name] - 1.0).abs() < 1e-4, "{arm} {name}: {value} {}", same.metrics[name]);
        }
    }
}

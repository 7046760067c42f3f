//! Tests of `settings` from outside.

#[test]
fn dump() {
    let s = schemars::schema_for!(ablate::train::RunConfig);
    std::fs::write("/tmp/run.schema.json", serde_json::to_string_pretty(&s).unwrap()).unwrap();
}

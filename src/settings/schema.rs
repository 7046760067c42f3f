//! The JSON Schema that editors use.

use schemars::JsonSchema;
use serde_json::{Value, json};

/// The JSON Schema of a file that holds a `T` or a part of one: `extends` is allowed, and a tagged table may leave out
/// what a lower layer or the default says.
pub fn schema<T: JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    relax(&mut schema);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let path = json!({"type": "string"});
        let extends = json!({
            "description": "Files that this one builds on, relative to it; of several, later ones win.",
            "anyOf": [path.clone(), {"type": "array", "items": path}],
        });
        properties.insert("extends".into(), extends);
    }
    schema
}

/// Tagged tables: any variant that fits will do, and no key is required.
fn relax(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let tagged =
                object.get("oneOf").and_then(Value::as_array).is_some_and(|list| list.iter().all(|one| one.get("properties").is_some()));
            if tagged && let Some(Value::Array(mut variants)) = object.remove("oneOf") {
                for variant in &mut variants {
                    variant.as_object_mut().map(|variant| variant.remove("required"));
                }
                object.insert("anyOf".into(), variants.into());
            }
            object.values_mut().for_each(relax);
        }
        Value::Array(items) => items.iter_mut().for_each(relax),
        _ => {}
    }
}

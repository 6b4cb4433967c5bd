//! Examples out of schemas: what a body looks like, for people who read the page.

use serde_json::{Map, Value, json};

/// Schemas nested deeper than this show as null.
const DEPTH_MAX: usize = 6;

/// A value that fits the schema; its own examples where it has some.
pub(super) fn of(schema: &Value, document: &Value) -> Value {
    within(schema, document, 0)
}

fn within(schema: &Value, document: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(given) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return given.clone();
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return within(&document["components"]["schemas"][name], document, depth + 1);
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        let choices = schema[word].as_array().into_iter().flatten();
        if let Some(first) = choices.into_iter().find(|choice| choice["type"] != json!("null")) {
            return within(first, document, depth + 1);
        }
    }
    match kind(schema) {
        "object" => object(schema, document, depth),
        "array" => json!([within(&schema["items"], document, depth + 1)]),
        "integer" | "number" => json!(1),
        "boolean" => json!(true),
        "string" => json!("…"),
        _ => Value::Null,
    }
}

fn object(schema: &Value, document: &Value, depth: usize) -> Value {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let field = |(name, schema): (&String, &Value)| (name.clone(), within(schema, document, depth + 1));
    Value::Object(fields.map(field).collect::<Map<_, _>>())
}

/// The type of a schema in one word; of several, the first that is not null.
pub(super) fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(word) => word,
        Value::Array(words) => {
            words.iter().filter_map(Value::as_str).find(|word| *word != "null").unwrap_or("")
        }
        _ => "",
    }
}

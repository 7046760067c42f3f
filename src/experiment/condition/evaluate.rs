//! The value of a condition.

use super::parse::Node;
use serde_json::Value;

/// Looks a name up.
type Names<'a> = dyn Fn(&str) -> Result<Value, String> + 'a;

pub(super) fn evaluate(node: &Node, names: &Names) -> Result<Value, String> {
    match node {
        Node::Value(value) => Ok(value.clone()),
        Node::Name(name) => names(name),
        Node::List(items) => items.iter().map(|item| evaluate(item, names)).collect::<Result<Vec<_>, _>>().map(Value::from),
        Node::Unary("!", inner) => Ok(Value::from(!truth(&evaluate(inner, names)?)?)),
        Node::Unary(_, inner) => Ok(Value::from(-number(&evaluate(inner, names)?)?)),
        // What decides alone is not followed by what may have no value: `kind == 'rope' && theta > 1e4`.
        Node::Binary("&&", both) => Ok(Value::from(truth(&evaluate(&both[0], names)?)? && truth(&evaluate(&both[1], names)?)?)),
        Node::Binary("||", both) => Ok(Value::from(truth(&evaluate(&both[0], names)?)? || truth(&evaluate(&both[1], names)?)?)),
        Node::Binary(operator, both) => binary(operator, &evaluate(&both[0], names)?, &evaluate(&both[1], names)?),
    }
}

fn binary(operator: &str, left: &Value, right: &Value) -> Result<Value, String> {
    Ok(match operator {
        "==" => equal(left, right).into(),
        "!=" => (!equal(left, right)).into(),
        "in" => match right {
            Value::Array(items) => items.iter().any(|item| equal(left, item)).into(),
            other => return Err(format!("`in` needs a list on its right, not {other}")),
        },
        "<" => (number(left)? < number(right)?).into(),
        "<=" => (number(left)? <= number(right)?).into(),
        ">" => (number(left)? > number(right)?).into(),
        ">=" => (number(left)? >= number(right)?).into(),
        "+" => (number(left)? + number(right)?).into(),
        "-" => (number(left)? - number(right)?).into(),
        "*" => (number(left)? * number(right)?).into(),
        _ => (number(left)? / number(right)?).into(),
    })
}

/// Numbers are equal by value, whether whole or not.
fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

fn number(value: &Value) -> Result<f64, String> {
    value.as_f64().ok_or_else(|| format!("{value} is no number"))
}

fn truth(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{value} is neither true nor false"))
}

#[cfg(test)]
mod tests {
    use super::{super::parse::parse, *};

    fn value(text: &str) -> Result<Value, String> {
        let names = |name: &str| match name {
            "model.kind" => Ok("rope".into()),
            "params" => Ok(19_000_000u64.into()),
            "absent" => Ok(Value::Null),
            _ => Err(format!("no {name}")),
        };
        evaluate(&parse(text)?, &names)
    }

    #[test]
    fn values_by_precedence() {
        for (text, expected) in [
            ("model.kind == 'rope'", true),
            ("model.kind != \"rope\" || params <= 20e6", true),
            ("params <= 20e6 && params > 1.9e7 - 1", true),
            ("!(params < 20_000_000)", false),
            ("model.kind in ['alibi', 'rope']", true),
            ("2 + 3 * 4 == 14 && (2 + 3) * 4 == 20 && -2 - 1 == -3 && 8 / 4 / 2 == 1", true),
            ("true || false && false", true),
            ("absent == null && absent != 'x'", true),
            // Nothing is asked of what is absent where the left side decides.
            ("model.kind == 'alibi' && absent > 3", false),
            ("1 < 2 == true", true),
        ] {
            assert_eq!(value(text), Ok(Value::from(expected)), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("", "missing"),
            ("params <=", "missing"),
            ("params = 3", "=="),
            ("(params > 3", "`)`"),
            ("params 3", "complete already"),
            ("'open", "no end"),
            ("params > 3 3", "complete already"),
            ("model.kind > 3", "no number"),
            ("params && true", "neither true nor false"),
            ("nothing > 3", "no nothing"),
            ("params in 3", "list"),
            ("params @ 3", "`@`"),
            ("1x > 3", "no number"),
            ("[1, 2", "`]`"),
        ] {
            let error = value(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(value(&"(".repeat(10_000)).unwrap_err().contains("deeply"));
        assert!(value(&"!".repeat(10_000)).unwrap_err().contains("deeply"));
    }
}

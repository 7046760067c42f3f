//! From words to a tree, by precedence climbing.

use super::token::{Token, tokens};
use serde_json::Value;

/// A part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Value(Value),
    Name(String),
    List(Vec<Node>),
    Unary(&'static str, Box<Node>),
    Binary(&'static str, Box<[Node; 2]>),
}

/// Operators of two operands, by how tightly they bind.
const LEVELS: [&[&str]; 6] = [&["||"], &["&&"], &["==", "!=", "in"], &["<", "<=", ">", ">="], &["+", "-"], &["*", "/"]];

/// Nesting beyond this is no condition.
const DEEPEST: usize = 100;

pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut words = Words { tokens: tokens(text)?, next: 0, depth: 0 };
    let node = words.binary(0)?;
    match words.peek() {
        None => Ok(node),
        Some(token) => Err(format!("`{token}` follows what is complete already")),
    }
}

struct Words {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Words {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(other)) if *other == sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        match self.peek() {
            Some(token) => Err(format!("expected `{sign}`, found `{token}`")),
            None => Err(format!("expected `{sign}` at the end")),
        }
    }

    fn binary(&mut self, level: usize) -> Result<Node, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.binary(level + 1)?;
            left = Node::Binary(operator, Box::new([left, right]));
        }
        Ok(left)
    }

    fn operator(&mut self, among: &[&'static str]) -> Option<&'static str> {
        let word = match self.peek()? {
            Token::Sign(sign) => *sign,
            Token::Name(name) => name.as_str(),
            Token::Number(_) | Token::Text(_) => return None,
        };
        let found = among.iter().copied().find(|operator| *operator == word)?;
        self.next += 1;
        Some(found)
    }

    fn unary(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("is nested too deeply".into());
        }
        let operator = ["!", "-"].into_iter().find(|sign| self.take(sign));
        let node = match operator {
            Some(operator) => Node::Unary(operator, Box::new(self.unary()?)),
            None => self.primary()?,
        };
        self.depth -= 1;
        Ok(node)
    }

    fn primary(&mut self) -> Result<Node, String> {
        if self.take("(") {
            let inner = self.binary(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            let mut items = Vec::new();
            while !self.take("]") {
                items.push(self.binary(0)?);
                if !self.take(",") {
                    self.expect("]")?;
                    break;
                }
            }
            return Ok(Node::List(items));
        }
        let token = self.peek().cloned().ok_or("ends where a value is missing")?;
        let node = match token {
            Token::Number(number) => Node::Value(Value::from(number)),
            Token::Text(text) => Node::Value(Value::from(text)),
            Token::Name(name) => match name.as_str() {
                "true" | "false" => Node::Value(Value::from(name == "true")),
                "null" => Node::Value(Value::Null),
                "in" => return Err("`in` has nothing on its left".into()),
                _ => Node::Name(name),
            },
            Token::Sign(sign) => return Err(format!("`{sign}` stands where a value is missing")),
        };
        self.next += 1;
        Ok(node)
    }
}

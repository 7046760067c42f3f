//! How a conversation becomes one text.

use super::ending::{TOKENIZER_CONFIG, json, special};
use crate::{
    data::Tokenizer,
    settings::{Error, Result},
};
use minijinja::{Environment, ErrorKind, Value, context, syntax::SyntaxConfig};
use serde::Serialize;
use serde_json::ser::Formatter;
use std::{io, path::Path};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What was said.
    pub content: String,
}

impl Message {
    /// What `role` said.
    pub fn new(role: &str, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// How turns are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// A name before each turn, for models that continue text: `User: …`, `Assistant: …`, a turn per line.
    Plain,
    /// The Jinja template that a chat model was trained with, of `transformers`' `tokenizer_config.json`.
    Chat(ChatTemplate),
}

/// A Jinja template and what it names.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatTemplate {
    source: String,
    /// What the template knows as `bos_token`; empty if there is none.
    bos: String,
    /// What the template knows as `eos_token`; empty if there is none.
    eos: String,
}

const JINJA: &str = "chat_template.jinja";

impl Template {
    /// The template beside a tokenizer: `chat_template` of `tokenizer_config.json`, or `chat_template.jinja`; plain turns if
    /// there is neither.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or holds something else.
    pub fn read(folder: &Path) -> Result<Self> {
        let config = json(&folder.join(TOKENIZER_CONFIG))?;
        let beside = folder.join(JINJA);
        let source = match template(&config["chat_template"]) {
            Some(source) => source.to_owned(),
            None if beside.exists() => std::fs::read_to_string(&beside).map_err(Error::io("read", &beside))?,
            None => return Ok(Self::Plain),
        };
        let name = |key: &str| special(&config[key]).unwrap_or_default().to_owned();
        Ok(Self::Chat(ChatTemplate { source, bos: name("bos_token"), eos: name("eos_token") }))
    }

    /// The tokens of a conversation up to where the next answer begins.
    ///
    /// # Errors
    ///
    /// What a template refuses, such as roles that do not alternate.
    pub fn tokens(&self, messages: &[Message], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        match self {
            Self::Plain => Ok([vec![tokenizer.bos()], tokenizer.encode(&plain(messages))].concat()),
            Self::Chat(template) => {
                let tokens = tokenizer.encode_marked(&template.render(messages)?);
                Ok(if tokens.is_empty() { vec![tokenizer.bos()] } else { tokens })
            }
        }
    }

    /// Strings that end an answer.
    pub fn stops(&self) -> Vec<String> {
        match self {
            Self::Plain => vec![format!("\n{}:", name("user"))],
            Self::Chat(_) => vec![],
        }
    }
}

impl ChatTemplate {
    fn render(&self, messages: &[Message]) -> Result<String> {
        let mut environment = Environment::new();
        // As `transformers` renders them.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("the usual delimiters"));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("tojson", |value: Value| -> Result<String, minijinja::Error> {
            python_json(&value).map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, error.to_string()))
        });
        let messages = messages.iter().map(|m| Value::from_pairs([("role", m.role.as_str()), ("content", m.content.as_str())]));
        let messages: Vec<Value> = messages.collect();
        let names = context! { messages, bos_token => self.bos.as_str(), eos_token => self.eos.as_str(), add_generation_prompt => true };
        environment.render_str(&self.source, names).map_err(|error| {
            let message = error.detail().map_or_else(|| error.to_string(), ToOwned::to_owned);
            Error::input("the chat template", message, "talk as the model was trained to, or remove the template for plain turns")
        })
    }
}

/// JSON as Python writes it, with a space behind each comma and colon.
fn python_json(value: &Value) -> serde_json::Result<String> {
    struct Spaced;
    impl Formatter for Spaced {
        fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
            if first { Ok(()) } else { out.write_all(b", ") }
        }
        fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
            out.write_all(b": ")
        }
    }
    let mut json = vec![];
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Spaced))?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}

/// Each turn behind the name of who has it, and the name of who answers.
fn plain(messages: &[Message]) -> String {
    let line = |message: &Message| match message.role.as_str() {
        "system" => format!("{}\n", message.content),
        // An answer stands as it was written, so that its tokens need not be read again.
        "assistant" => format!("{}:{}\n", name("assistant"), message.content),
        role => format!("{}: {}\n", name(role), message.content),
    };
    messages.iter().map(line).collect::<String>() + name("assistant") + ":"
}

fn name(role: &str) -> &str {
    if role == "assistant" { "Assistant" } else { "User" }
}

/// A template as it may be written: alone, or as one of several with names.
fn template(value: &serde_json::Value) -> Option<&str> {
    let of_name = |list: &'_ Vec<serde_json::Value>| list.iter().position(|entry| entry["name"] == "default");
    match value {
        serde_json::Value::Array(list) => list[of_name(list)?]["template"].as_str(),
        value => value.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Vec<Message> {
        vec![
            Message::new("system", "Be brief."),
            Message::new("user", " Hello "),
            Message::new("assistant", " Hi."),
            Message::new("user", "Bye"),
        ]
    }

    fn chat(source: &str) -> ChatTemplate {
        ChatTemplate { source: source.into(), bos: "<s>".into(), eos: "</s>".into() }
    }

    #[test]
    fn plain_turns_are_lines_with_names() {
        assert_eq!(plain(&turns()), "Be brief.\nUser:  Hello \nAssistant: Hi.\nUser: Bye\nAssistant:");
        assert_eq!(Template::Plain.stops(), ["\nUser:"]);
    }

    #[test]
    fn templates_are_rendered_as_transformers_does() {
        // ChatML, as many models have it.
        let chatml = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
        let expected = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hello <|im_end|>\n<|im_start|>assistant\n Hi.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n";
        assert_eq!(chat(chatml).render(&turns()).unwrap(), expected);
        // Llama 2's manner: methods of Python's strings, slices, errors, blocks on lines of their own.
        let llama = "{% if messages[0]['role'] == 'system' %}\n    {% set loop_messages = messages[1:] %}\n{% endif %}\n{% for message in loop_messages %}\n    {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\n{{ raise_exception('Roles must alternate') }}\n    {% endif %}\n{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}\n{% endfor %}";
        assert_eq!(chat(llama).render(&turns()).unwrap(), "<s>[INST] Hello [/INST] Hi. </s><s>[INST] Bye [/INST]");
        let twice = [Message::new("system", ""), Message::new("user", "a"), Message::new("user", "b")];
        assert!(chat(llama).render(&twice).unwrap_err().to_string().contains("Roles must alternate"));
        let odds = "{% for m in messages %}{% if m.role.startswith('s') %}{% continue %}{% endif %}{{ [m.content, {'a': 1}] | tojson }}{% break %}{% endfor %}";
        assert_eq!(chat(odds).render(&turns()).unwrap(), r#"[" Hello ", {"a": 1}]"#);
        assert!(chat("{% for %}").render(&turns()).is_err());
    }

    #[test]
    fn templates_are_found_where_models_keep_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let read = || Template::read(folder.path());
        assert_eq!(read().unwrap(), Template::Plain);
        write(TOKENIZER_CONFIG, r#"{"eos_token": {"content": "</s>"}}"#);
        assert_eq!(read().unwrap(), Template::Plain);
        write(JINJA, "J");
        let Template::Chat(found) = read().unwrap() else { panic!("no template") };
        assert_eq!((found.source.as_str(), found.bos.as_str(), found.eos.as_str()), ("J", "", "</s>"));
        let several = r#"[{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]"#;
        write(TOKENIZER_CONFIG, &format!(r#"{{"bos_token": "<s>", "chat_template": {several}}}"#));
        let Template::Chat(found) = read().unwrap() else { panic!("no template") };
        assert_eq!((found.source.as_str(), found.bos.as_str(), found.eos.as_str()), ("D", "<s>", ""));
        write(TOKENIZER_CONFIG, "{");
        assert!(read().unwrap_err().to_string().contains(TOKENIZER_CONFIG));
    }
}

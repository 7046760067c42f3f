//! TensorBoard's messages: `Event` (`tensorboard/compat/proto/event.proto`), `Summary`, and those of its table of
//! hyperparameters (`tensorboard/plugins/hparams/plugin_data.proto`).

use super::{
    super::source::Run,
    wire::{Message, Value, fields},
};
use crate::train::Outcome;
use serde_json::Value as Setting;

/// Tags that the table of hyperparameters looks for.
const START: &str = "_hparams_/session_start_info";
const END: &str = "_hparams_/session_end_info";

fn event(at: f64, step: u64) -> Message {
    Message::default().double(1, at).integer(2, step)
}

/// The event that every file begins with.
pub fn version(at: f64) -> Message {
    event(at, 0).bytes(3, "brain.Event:2")
}

/// The numbers of a step.
pub fn scalars(at: f64, step: u64, values: &[(String, f64)]) -> Message {
    let summary = values
        .iter()
        .fold(Message::default(), |summary, (tag, value)| summary.bytes(1, Message::default().bytes(1, tag).float(2, *value as f32)));
    event(at, step).bytes(5, summary)
}

/// A row of the table of hyperparameters: arm, seed, and the keys in which arms differ.
pub fn settings(run: &Run, at: f64) -> Message {
    let text = |text: &str| Message::default().bytes(3, text);
    let value = |value: &Setting| match value {
        Setting::Number(number) => Message::default().double(2, number.as_f64().unwrap_or(f64::NAN)),
        Setting::Bool(flag) => Message::default().integer(4, u64::from(*flag)),
        Setting::String(string) => text(string),
        other => text(&other.to_string()),
    };
    let compared = run.settings.iter().filter(|(key, _)| run.compared.contains(*key) && *key != "train.seed");
    let entries = [("arm", text(&run.arm)), ("seed", Message::default().double(2, run.seed as f64))].into_iter();
    let entries = entries.chain(compared.map(|(key, setting)| (key.as_str(), value(setting))));
    let start = entries.fold(Message::default(), |start, (key, value)| start.bytes(1, Message::default().bytes(1, key).bytes(2, value)));
    // Runs of one arm are one group: the table averages over its seeds.
    let group = if run.stage == "compare" { &run.arm } else { &run.name };
    hparams(event(at, 0), START, 3, start.bytes(4, group).double(5, at))
}

/// How the run ended.
pub fn end(outcome: Outcome, at: f64, step: u64) -> Message {
    let status = if outcome == Outcome::Finished { 1 } else { 2 };
    hparams(event(at, step), END, 4, Message::default().integer(1, status).double(2, at))
}

/// What the plugin reads is in the metadata of a value that has none.
fn hparams(event: Message, tag: &str, field: u32, content: Message) -> Message {
    let plugin = Message::default().bytes(1, "hparams").bytes(2, Message::default().bytes(field, content));
    let metadata = Message::default().bytes(1, plugin);
    event.bytes(5, Message::default().bytes(1, Message::default().bytes(1, tag).bytes(9, metadata)))
}

/// What is in a file so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Begun {
    /// Time of its first event; none if it has none.
    pub at: Option<f64>,
    /// Last step.
    pub step: Option<u64>,
    /// Whether it tells the run's end.
    pub ended: bool,
}

impl Begun {
    /// Looks through events.
    pub fn of(events: &[&[u8]]) -> Self {
        let mut begun = Self::default();
        for event in events {
            for (field, value) in fields(event) {
                match (field, value) {
                    (1, Value::Double(at)) => begun.at = begun.at.or(Some(at)),
                    (2, Value::Integer(step)) if step > 0 => begun.step = begun.step.max(Some(step)),
                    (5, Value::Bytes(summary)) => begun.ended |= tags(summary).any(|tag| tag == END.as_bytes()),
                    _ => {}
                }
            }
        }
        begun
    }
}

fn tags(summary: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields(summary).filter_map(|(_, value)| match value {
        Value::Bytes(value) => fields(value).find_map(|(field, tag)| match (field, tag) {
            (1, Value::Bytes(tag)) => Some(tag),
            _ => None,
        }),
        _ => None,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The scalars of an event: tag, step, value.
    pub fn scalars(event: &[u8]) -> Vec<(String, u64, f32)> {
        let step = fields(event).find_map(|(field, value)| match (field, value) {
            (2, Value::Integer(step)) => Some(step),
            _ => None,
        });
        let mut found = Vec::new();
        for (_, summary) in fields(event).filter(|(field, _)| *field == 5) {
            let Value::Bytes(summary) = summary else { panic!("{summary:?}") };
            for (_, value) in fields(summary) {
                let Value::Bytes(value) = value else { panic!("{value:?}") };
                let parts: Vec<_> = fields(value).collect();
                if let [(1, Value::Bytes(tag)), (2, Value::Float(number))] = parts[..] {
                    found.push((String::from_utf8(tag.into()).unwrap(), step.unwrap(), number));
                }
            }
        }
        found
    }

    #[test]
    fn what_a_file_holds_is_found_again() {
        let events =
            [version(5.0), super::scalars(6.0, 1, &[("loss".into(), 2.5), ("x".into(), f64::NAN)]), end(Outcome::Diverged, 7.0, 1)];
        let bytes: Vec<&[u8]> = events.iter().map(AsRef::as_ref).collect();
        assert_eq!(Begun::of(&bytes[..0]), Begun::default());
        assert_eq!(Begun::of(&bytes[..2]), Begun { at: Some(5.0), step: Some(1), ended: false });
        assert_eq!(Begun::of(&bytes), Begun { at: Some(5.0), step: Some(1), ended: true });
        let read = scalars(bytes[1]);
        assert_eq!(read[0], ("loss".to_string(), 1, 2.5));
        assert!(read[1].2.is_nan() && scalars(bytes[2]).is_empty());
    }
}

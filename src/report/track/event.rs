//! The few of TensorBoard's protobuf messages that scalars and settings need: `Event`, `Summary`, `SessionLog`, and
//! `HParamsPluginData` of its plugin for settings (`tensorboard/compat/proto`, `tensorboard/plugins/hparams` in its sources).

use serde_json::Value;

/// An encoded message. Fields that have their default value are not written, as protobuf has it.
#[derive(Default)]
pub struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u32, kind: u32) {
        self.varint(u64::from(field << 3 | kind));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn integer(mut self, field: u32, value: u64) -> Self {
        if value != 0 {
            self.key(field, 0);
            self.varint(value);
        }
        self
    }

    fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn message(self, field: u32, message: Message) -> Self {
        self.bytes(field, message.0)
    }

    /// The bytes of the message.
    pub fn encoded(&self) -> &[u8] {
        &self.0
    }
}

fn event(time: f64, step: u64) -> Message {
    Message::default().double(1, time).integer(2, step)
}

/// The event that every file begins with.
pub fn version(time: f64) -> Message {
    event(time, 0).bytes(3, "brain.Event:2")
}

/// The start of a session: what a reader knows of the same run from before no longer counts.
pub fn session_start(time: f64) -> Message {
    const START: u64 = 1;
    event(time, 0).message(7, Message::default().integer(1, START))
}

/// The numbers of a step.
pub fn scalars<'a>(time: f64, step: u64, values: impl IntoIterator<Item = (&'a str, f64)>) -> Message {
    let value = |(tag, value): (&str, f64)| Message::default().bytes(1, tag).float(2, value as f32);
    let summary = values.into_iter().map(value).fold(Message::default(), |summary, value| summary.message(1, value));
    event(time, step).message(5, summary)
}

/// The settings of a run, which belongs to a group of runs over whose metrics TensorBoard averages.
pub fn settings<'a>(time: f64, group: &str, settings: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Message {
    let entry = |(key, value): (&str, &Value)| Message::default().bytes(1, key).message(2, struct_value(value));
    let info = settings.into_iter().map(entry).fold(Message::default(), |info, entry| info.message(1, entry));
    plugin(time, "_hparams_/session_start_info", 3, info.bytes(4, group).double(5, time))
}

/// How a run ended.
pub fn session_end(time: f64, well: bool) -> Message {
    let (success, failure) = (1, 2);
    plugin(time, "_hparams_/session_end_info", 4, Message::default().integer(1, if well { success } else { failure }).double(2, time))
}

/// An event of the plugin for settings: the data stand where a plugin's metadata do, beside an empty tensor.
fn plugin(time: f64, tag: &str, field: u32, data: Message) -> Message {
    const FLOAT: u64 = 1;
    let data = Message::default().message(field, data);
    let metadata = Message::default().message(1, Message::default().bytes(1, "hparams").message(2, data));
    let no_floats = Message::default().message(2, Message::default());
    let tensor = Message::default().integer(1, FLOAT).message(2, no_floats);
    let value = Message::default().bytes(1, tag).message(8, tensor).message(9, metadata);
    event(time, 0).message(5, Message::default().message(1, value))
}

/// A `google.protobuf.Value`.
fn struct_value(value: &Value) -> Message {
    let message = Message::default();
    match value {
        Value::Bool(value) => {
            // One of several kinds: its default value is written, too.
            let mut message = message;
            message.key(4, 0);
            message.varint((*value).into());
            message
        }
        Value::Number(number) => message.double(2, number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => message.bytes(3, text),
        other => message.bytes(3, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Bytes that Python's protobuf wrote for the same messages by TensorBoard 2.21's definitions.
    #[test]
    fn bytes_of_the_official_encoder() {
        let hex = |message: Message| message.encoded().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(version(1.5)), "09000000000000f83f1a0d627261696e2e4576656e743a32");
        assert_eq!(hex(session_start(1.5)), "09000000000000f83f3a020801");
        assert_eq!(
            hex(scalars(1.5, 300, [("loss", 0.5), ("valid/b", 0.0)])),
            "09000000000000f83f10ac022a1d0a0b0a046c6f7373150000003f0a0e0a0776616c69642f621500000000"
        );
        let (rms, one, yes, no) = (json!("rms"), json!(0.25), json!(true), json!(false));
        let given = [("bias", &no), ("kind", &rms), ("lr", &one), ("tied", &yes)];
        assert_eq!(
            hex(settings(1.5, "a", given)),
            "09000000000000f83f2a7d0a7b0a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f42060801120212004a530a510a0768706172616d7312461a440a0a0a0462696173120220000a0d0a046b696e6412051a03726d730a0f0a026c72120911000000000000d03f0a0a0a04746965641202200122016129000000000000f83f"
        );
        assert_eq!(
            hex(session_end(2.5, true)),
            "0900000000000004402a420a400a1a5f68706172616d735f2f73657373696f6e5f656e645f696e666f42060801120212004a1a0a180a0768706172616d73120d220b0801110000000000000440"
        );
    }
}

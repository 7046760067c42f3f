//! A reader of event files that shares nothing with the writer: framing without checksums, protobuf by wire type.

use std::collections::BTreeMap;

/// What an event says.
#[derive(Debug, Default)]
pub struct Event {
    pub time: f64,
    pub step: u64,
    pub version: Option<String>,
    pub starts_session: bool,
    pub scalars: Vec<(String, f32)>,
    /// Of the plugin for settings, as text.
    pub settings: BTreeMap<String, String>,
}

enum Field<'a> {
    Varint(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

impl<'a> Field<'a> {
    fn bytes(&self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { panic!("no bytes") }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for at in 0.. {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Eight(take(&mut bytes, 8).try_into().unwrap()),
            2 => {
                let count = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, count))
            }
            5 => Field::Four(take(&mut bytes, 4).try_into().unwrap()),
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// The field of a number, the last if there are several.
fn field(bytes: &[u8], number: u64) -> Option<Field<'_>> {
    fields(bytes).into_iter().rfind(|(found, _)| *found == number).map(|(_, field)| field)
}

/// All events of a file.
pub fn read(mut file: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while !file.is_empty() {
        let length = u64::from_le_bytes(take(&mut file, 12)[..8].try_into().unwrap()) as usize;
        events.push(event(take(&mut file, length)));
        take(&mut file, 4);
    }
    events
}

fn event(bytes: &[u8]) -> Event {
    let mut event = Event::default();
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, Field::Eight(time)) => event.time = f64::from_le_bytes(time),
            (2, Field::Varint(step)) => event.step = step,
            (3, version) => event.version = Some(version.text()),
            (5, summary) => fields(summary.bytes()).iter().for_each(|(_, value)| read_value(value.bytes(), &mut event)),
            (7, log) => event.starts_session = matches!(self::field(log.bytes(), 1), Some(Field::Varint(1))),
            (other, _) => panic!("field {other} of an event"),
        }
    }
    event
}

fn read_value(value: &[u8], event: &mut Event) {
    let tag = field(value, 1).unwrap().text();
    if let Some(Field::Four(number)) = field(value, 2) {
        event.scalars.push((tag, f32::from_le_bytes(number)));
        return;
    }
    // SummaryMetadata, PluginData, HParamsPluginData, SessionStartInfo.
    let inside = |bytes, number| field(bytes, number).map(|field: Field| field.bytes());
    let data = inside(value, 9).and_then(|metadata| inside(inside(metadata, 1)?, 2)).unwrap();
    for (_, entry) in inside(data, 3).map(fields).unwrap_or_default().iter().filter(|(number, _)| *number == 1) {
        let (key, kind) = (field(entry.bytes(), 1).unwrap().text(), field(entry.bytes(), 2).unwrap());
        let value = match fields(kind.bytes()).remove(0).1 {
            Field::Eight(number) => f64::from_le_bytes(number).to_string(),
            Field::Varint(truth) => (truth == 1).to_string(),
            text => text.text(),
        };
        event.settings.insert(key, value);
    }
}

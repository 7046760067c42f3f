//! The wire format of Protocol Buffers, as far as event files need it.

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// An integer.
    pub fn integer(mut self, field: u32, value: u64) -> Self {
        self.key(field, 0);
        self.varint(value);
        self
    }

    /// A double.
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A float.
    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// A string, bytes, or a message in the message.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        self.key(field, 2);
        self.varint(value.as_ref().len() as u64);
        self.0.extend(value.as_ref());
        self
    }

    fn key(&mut self, field: u32, kind: u8) {
        self.varint(u64::from(field << 3 | u32::from(kind)));
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The value of a field that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An integer.
    Integer(u64),
    /// Eight bytes: a double.
    Double(f64),
    /// A string, bytes, or a message in the message.
    Bytes(&'a [u8]),
    /// Four bytes: a float.
    Float(f32),
}

/// Fields of a message, in order; those before the first one that is damaged.
pub fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u32, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Integer(take_varint(&mut rest)?),
            1 => Value::Double(f64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?)),
            2 => {
                let length = take_varint(&mut rest)?;
                Value::Bytes(take(&mut rest, usize::try_from(length).ok()?)?)
            }
            5 => Value::Float(f32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?)),
            _ => return None,
        };
        Some(((key >> 3) as u32, value))
    })
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the encoding's own documentation (protobuf.dev, "Encoding").
    #[test]
    fn documented_examples() {
        assert_eq!(Message::default().integer(1, 150).0, [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().bytes(2, "testing").0, b"\x12\x07testing");
        let inner = Message::default().integer(1, 150);
        assert_eq!(Message::default().bytes(3, &inner).0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    #[test]
    fn what_was_written_is_read() {
        let message = Message::default().integer(1, u64::MAX).double(20, -0.1).bytes(3, "").float(4, f32::INFINITY);
        let read: Vec<_> = fields(&message.0).collect();
        assert_eq!(
            read,
            [(1, Value::Integer(u64::MAX)), (20, Value::Double(-0.1)), (3, Value::Bytes(b"")), (4, Value::Float(f32::INFINITY))]
        );
        for cut in 1..message.0.len() {
            assert!(fields(&message.0[..cut]).count() < 4);
        }
        assert_eq!(fields(&[0xff; 30]).count(), 0);
    }
}

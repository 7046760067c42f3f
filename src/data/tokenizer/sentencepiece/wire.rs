//! The wire format of protocol buffers, as far as SentencePiece's models need it: a message is a row of numbered fields.

/// The value of a field; what a message nests in is bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    Float(f32),
}

impl<'a> Value<'a> {
    pub(super) fn integer(self) -> Result<u64, String> {
        match self {
            Self::Integer(value) => Ok(value),
            _ => Err("a field that should be a number is none".into()),
        }
    }

    /// An `int32`, negative ones as 64 bits.
    pub(super) fn signed(self) -> Result<i64, String> {
        Ok(self.integer()? as i64)
    }

    pub(super) fn flag(self) -> Result<bool, String> {
        Ok(self.integer()? != 0)
    }

    pub(super) fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err("a field that should hold bytes does not".into()),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?).map_err(|_| "a text that is not UTF-8".into())
    }

    pub(super) fn float(self) -> Result<f32, String> {
        match self {
            Self::Float(value) if value.is_finite() => Ok(value),
            _ => Err("a score that is no finite number".into()),
        }
    }
}

/// The fields of a message: number and value, in the order of the file.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or("it ends within a number")?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number of more than 64 bits".into())
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let count = usize::try_from(count).ok().filter(|count| *count <= self.0.len());
        let (taken, rest) = self.0.split_at(count.ok_or("it ends within a field")?);
        self.0 = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), String> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Integer(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let count = self.varint()?;
                Value::Bytes(self.take(count)?)
            }
            5 => Value::Float(f32::from_le_bytes(self.take(4)?.try_into().expect("four bytes"))),
            other => return Err(format!("a field of the unknown wire type {other}")),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

//! The letters that files show bytes as, so that no token holds a space or a control character
//! (`bytes_to_unicode` of openai/gpt-2 `src/encoder.py`).

use std::sync::LazyLock;

static LETTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = 256;
    std::array::from_fn(|byte| match byte as u8 {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => byte as u8 as char,
        _ => {
            next += 1;
            char::from_u32(next - 1).expect("a Latin letter")
        }
    })
});

/// Bytes as letters.
pub(in crate::data::tokenizer) fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| LETTERS[byte as usize]).collect()
}

/// The bytes that letters show; none if one of them shows no byte.
pub(in crate::data::tokenizer) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    static BYTES: LazyLock<[Option<u8>; 324]> = LazyLock::new(|| {
        let mut bytes = [None; 324];
        for (byte, letter) in LETTERS.iter().enumerate() {
            bytes[*letter as usize] = Some(byte as u8);
        }
        bytes
    });
    text.chars().map(|c| *BYTES.get(c as usize)?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_letter() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&shown(&all)).unwrap(), all);
        assert_eq!(shown(b" a\n"), "ĠaĊ");
        assert_eq!(bytes_of(" "), None);
        assert_eq!(bytes_of("日"), None);
    }
}

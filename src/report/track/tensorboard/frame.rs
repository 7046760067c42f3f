//! The framing of TFRecord files: length, its checksum, data, its checksum.
//!
//! The checksum is CRC-32C, rotated and moved so that it does not stay the same when it is itself checked
//! (`tensorflow/core/lib/io/record_writer.h`).

/// Appends a record.
pub fn write(file: &mut Vec<u8>, data: impl AsRef<[u8]>) {
    let data = data.as_ref();
    let length = (data.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(data);
    file.extend(masked(data).to_le_bytes());
}

/// The records of a file up to the first that is damaged or cut off, and the bytes that they take.
pub fn read(file: &[u8]) -> (Vec<&[u8]>, usize) {
    let mut records = Vec::new();
    let mut rest = file;
    while let Some((record, left)) = first(rest) {
        records.push(record);
        rest = left;
    }
    (records, file.len() - rest.len())
}

fn first(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = checked(file, 8)?;
    checked(rest, usize::try_from(u64::from_le_bytes(length.try_into().ok()?)).ok()?)
}

/// So many bytes with the right checksum behind them, and what follows.
fn checked(file: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    let (data, rest) = file.split_at_checked(count)?;
    let (sum, rest) = rest.split_at_checked(4)?;
    (sum == masked(data).to_le_bytes()).then_some((data, rest))
}

fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), reflected, a byte at a time.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |sum, byte| sum >> 8 ^ TABLE[usize::from(sum as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = index as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
    #[test]
    fn published_checksums() {
        let ascending: Vec<u8> = (0..32).collect();
        for (data, sum) in [(&[0; 32][..], 0x8a91_36aa), (&[0xff; 32], 0x62a8_ab43), (&ascending, 0x46dd_794e), (b"123456789", 0xe306_9283)]
        {
            assert_eq!(crc32c(data), sum);
        }
    }

    #[test]
    fn whole_records_are_read_and_damage_ends_the_file() {
        let mut file = Vec::new();
        write(&mut file, b"one");
        let whole = file.len();
        write(&mut file, b"");
        write(&mut file, b"three");
        assert_eq!(read(&file), (vec![&b"one"[..], b"", b"three"], file.len()));
        for cut in whole..whole + 16 {
            assert_eq!(read(&file[..cut]), (vec![&b"one"[..]], whole));
        }
        for byte in 0..whole {
            let mut damaged = file.clone();
            damaged[byte] ^= 4;
            assert_eq!(read(&damaged), (vec![], 0), "byte {byte}");
        }
    }
}

//! TFRecord: how event files are cut into records. Length, masked checksum of it, bytes, masked checksum of them.

/// Appends a record to a file's bytes.
pub fn append(file: &mut Vec<u8>, record: &[u8]) {
    let length = (record.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(record);
    file.extend(masked(record).to_le_bytes());
}

/// A checksum of bytes that hold checksums is weak; rotated and shifted it is not.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 by Castagnoli's polynomial (RFC 3720, B.4), reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The records of a file; none if it is damaged.
    pub fn records(mut file: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        while !file.is_empty() {
            let (head, rest) = file.split_at_checked(12)?;
            let length = u64::from_le_bytes(head[..8].try_into().ok()?) as usize;
            let (body, rest) = rest.split_at_checked(length)?;
            let (check, rest) = rest.split_at_checked(4)?;
            let right = masked(&head[..8]).to_le_bytes() == head[8..] && masked(body).to_le_bytes() == check;
            records.push(right.then(|| body.to_vec())?);
            file = rest;
        }
        Some(records)
    }

    #[test]
    fn checksums_of_the_standard() {
        // RFC 3720, B.4, and the check value of the catalogue of CRCs.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        assert_eq!(crc32c(&descending), 0x113f_db5c);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_come_back_and_damage_is_seen() {
        let mut file = Vec::new();
        for record in [&b"one"[..], b"", &[7; 300]] {
            append(&mut file, record);
        }
        assert_eq!(records(&file).unwrap(), [b"one".to_vec(), vec![], vec![7; 300]]);
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(records(&damaged), None, "byte {at}");
        }
    }
}

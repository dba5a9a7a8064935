//! Records of a `TFRecord` file.

use std::io::Read;

/// The polynomial of CRC-32C (Castagnoli; RFC 3720, B.4), its bits in reverse.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    !bytes.iter().fold(!0, step)
}

/// The checksum as a `TFRecord` has it: masked, because a checksum over bytes that contain their own
/// checksum says little.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// `data` as a record: its length, the checksum of the length, the data, their checksum. Numbers are
/// little-endian.
pub(super) fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// The data of the whole records at the beginning of a file. What a kill left of one ends them, as does an error.
pub(super) fn records(mut file: impl Read) -> impl Iterator<Item = Vec<u8>> {
    std::iter::from_fn(move || {
        let mut exact = |count: u64| {
            let mut bytes = Vec::new();
            // However large the count is, there is no more memory than the file has bytes.
            file.by_ref().take(count).read_to_end(&mut bytes).ok()?;
            (bytes.len() as u64 == count).then_some(bytes)
        };
        let length = exact(8)?;
        if exact(4)? != masked(&length) {
            return None;
        }
        let data = exact(u64::from_le_bytes(length.try_into().ok()?))?;
        (exact(4)? == masked(&data)).then_some(data)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_published_examples() {
        // RFC 3720, B.4, and the check value of the catalogue of CRCs.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&std::array::from_fn::<u8, 32, _>(|i| i as u8)), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_has_the_bytes_that_tensorboard_writes() {
        // import io
        // from tensorboard.summary.writer.record_writer import RecordWriter
        // f = io.BytesIO(); RecordWriter(f).write(b"selvedge"); print(f.getvalue().hex())
        let expected = "0800000000000000ff86240f73656c7665646765c6bbcaee";
        let hex: String = record(b"selvedge").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn whole_records_are_read_back_up_to_one_that_is_torn_or_damaged() {
        let file = [record(b"one"), record(b""), record(b"three")].concat();
        let read = |file: &[u8]| records(file).collect::<Vec<_>>();
        assert_eq!(read(&file), [&b"one"[..], b"", b"three"]);
        // 12 bytes before the data of each, and 4 behind it.
        for (bytes, whole) in [(0, 0), (18, 0), (19, 1), (34, 1), (35, 2), (file.len() - 1, 2)] {
            assert_eq!(read(&file[..bytes]).len(), whole, "{bytes} bytes");
        }
        let damaged = |at: usize| {
            let mut file = file.clone();
            file[at] ^= 1;
            read(&file).len()
        };
        // In a length, which becomes huge with its last byte; in the data of the first, and in those of the last.
        assert_eq!([damaged(0), damaged(7), damaged(13), damaged(48)], [0, 0, 0, 2]);
    }
}

use std::io::{self, Read};

use proptest::prelude::*;

use super::*;

/// A raw file of 3 labels.
const LABELS: [u8; 11] = [0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 7];

fn read(bytes: &[u8]) -> Result<IdxArray, IdxError> {
    IdxReader::new().read(bytes)
}

fn message(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(content).unwrap();
    gzip.finish().unwrap()
}

fn header(code: u8, shape: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, shape.len() as u8];
    for d in shape {
        bytes.extend(d.to_be_bytes());
    }
    bytes
}

// Expected: the byte layout in the module's documentation.
#[test]
fn each_type_is_read_big_endian() {
    let cases: [(&[u8], IdxData); 6] = [
        (&[8, 0xFF], IdxData::U8(vec![255])),
        (&[9, 0xFF], IdxData::I8(vec![-1])),
        (&[0x0B, 0x01, 0x02], IdxData::I16(vec![0x0102])),
        (&[0x0C, 0xFF, 0xFF, 0xFF, 0xFE], IdxData::I32(vec![-2])),
        (&[0x0D, 0x3F, 0xC0, 0, 0], IdxData::F32(vec![1.5])),
        (&[0x0E, 0xC0, 0x04, 0, 0, 0, 0, 0, 0], IdxData::F64(vec![-2.5])),
    ];
    for (bytes, expected) in cases {
        let file = [&header(bytes[0], &[1]), &bytes[1..]].concat();
        assert_eq!(read(&file).unwrap().data(), &expected);
        assert_eq!(read(&gzip(&file)).unwrap().data(), &expected);
    }
}

#[test]
fn truncated_data_names_its_offset() {
    assert_eq!(message(&LABELS[..10]), "truncated at byte 10: expected 3 bytes of data, found 2");
    assert_eq!(
        message(&gzip(&LABELS[..9])),
        "truncated at byte 9: expected 3 bytes of data, found 1"
    );
}

#[test]
fn a_truncated_header_names_its_offset() {
    assert_eq!(message(&[]), "truncated at byte 0: expected 4 bytes of magic number, found 0");
    assert_eq!(
        message(&LABELS[..1]),
        "truncated at byte 1: expected 4 bytes of magic number, found 1"
    );
    assert_eq!(
        message(&LABELS[..6]),
        "truncated at byte 6: expected 4 bytes of dimensions, found 2"
    );
}

#[test]
fn trailing_bytes_name_their_offset() {
    let long = [&LABELS[..], &[0]].concat();
    let expected = "trailing bytes at byte 11: expected the end, found more data";
    assert_eq!(message(&long), expected);
    assert_eq!(message(&gzip(&long)), expected);
}

#[test]
fn a_bad_magic_number_is_shown() {
    assert_eq!(
        message(b"PK\x03\x04 zip"),
        "bad magic number at byte 0: expected 00 00 and a type and rank byte, found 50 4B 03 04"
    );
    assert_eq!(
        message(&[0, 0, 0x0A, 1, 0, 0, 0, 1, 0]),
        "unknown element type at byte 2: expected 08, 09, 0B, 0C, 0D or 0E, found 0A"
    );
    assert_eq!(
        message(&[0, 0, 8, 0, 1]),
        "no dimensions: expected a rank of 1 to 255 at byte 3, found 0"
    );
}

#[test]
fn a_zero_dimension_names_its_offset() {
    assert_eq!(
        message(&header(8, &[2, 0, 2])),
        "dimension 1 at byte 8 is zero: expected at least 1, found 0"
    );
}

#[test]
fn dimensions_that_overflow_name_their_offset() {
    let error = read(&header(0x0E, &[u32::MAX, u32::MAX, 7])).unwrap_err();
    assert!(matches!(error, IdxError::Overflow { dimension: 1, offset: 8, .. }), "{error}");
    let error =
        IdxReader::new().with_limit(u64::MAX).read(&*header(8, &[u32::MAX; 255])).unwrap_err();
    assert_eq!(error.offset(), Some(12));
}

#[test]
fn a_claim_above_the_limit_is_refused_before_anything_is_read() {
    let reader = IdxReader::new().with_limit(2);
    let error = reader.read(&LABELS[..]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "too large: the header ending at byte 8 claims 3 bytes of data, expected at most 2"
    );
    assert!(IdxReader::new().with_limit(3).read(&LABELS[..]).is_ok());
}

/// An input that ends, and tells how much was asked of it.
struct Short<'a>(&'a [u8], &'a mut usize);

impl Read for Short<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        *self.1 = (*self.1).max(buffer.len());
        self.0.read(buffer)
    }
}

#[test]
fn a_hostile_claim_within_the_limit_costs_only_what_is_there() {
    let mut file = header(8, &[1 << 30]);
    file.extend([1; 10]);
    let mut largest = 0;
    let error = IdxReader::new().read(Short(&file, &mut largest)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "truncated at byte 18: expected 1073741824 bytes of data, found 10"
    );
    assert!(largest <= 1 << 16, "asked for {largest} bytes at once");
}

#[test]
fn truncated_gzip_is_told_from_corrupt_gzip() {
    let whole = gzip(&LABELS);
    for end in 3..whole.len() {
        let error = read(&whole[..end]).unwrap_err();
        assert!(matches!(error, IdxError::TruncatedGzip { .. }), "{end}: {error}");
    }
    let mut wrong_sum = whole.clone();
    let sum = wrong_sum.len() - 8;
    wrong_sum[sum] ^= 1;
    let error = read(&wrong_sum).unwrap_err();
    assert!(matches!(error, IdxError::CorruptGzip { offset: 11, .. }), "{error}");
    // A reserved deflate block type right after the ten bytes of gzip header.
    let mut bad_block = whole;
    bad_block[10] |= 0b110;
    let error = read(&bad_block).unwrap_err();
    assert!(matches!(error, IdxError::CorruptGzip { offset: 0, .. }), "{error}");
}

#[test]
fn a_failing_input_is_told_from_a_bad_file() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    let input = LABELS[..9].chain(Failing);
    let error = IdxReader::new().read(input).unwrap_err();
    assert_eq!(error.to_string(), "cannot read at byte 9: disk on fire");
}

#[test]
fn input_that_comes_byte_by_byte_is_read_all_the_same() {
    struct Drip<'a>(&'a [u8]);
    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(1);
            self.0.read(&mut buffer[..n])
        }
    }
    let compressed = gzip(&LABELS);
    for file in [&LABELS[..], &compressed] {
        let array = IdxReader::new().read(Drip(file)).unwrap();
        assert_eq!(array.data(), &IdxData::U8(vec![5, 6, 7]));
    }
}

#[test]
fn a_file_of_more_than_one_gzip_member_is_one_content() {
    let file = [gzip(&LABELS[..9]), gzip(&LABELS[9..])].concat();
    assert_eq!(read(&file).unwrap().data(), &IdxData::U8(vec![5, 6, 7]));
}

#[test]
fn arrays_that_the_format_cannot_hold_are_refused() {
    let new = |shape: &[usize], n| IdxArray::new(shape.to_vec(), IdxData::U8(vec![0; n]));
    assert!(matches!(new(&[], 1), Err(IdxError::UnsupportedShape { .. })));
    assert!(matches!(new(&[1; 256], 1), Err(IdxError::UnsupportedShape { .. })));
    assert!(matches!(new(&[2, 0], 0), Err(IdxError::UnsupportedShape { .. })));
    assert!(matches!(new(&[1 << 33], 1), Err(IdxError::UnsupportedShape { .. })));
    assert!(matches!(new(&[2, 2], 5), Err(IdxError::ElementCount { found: 5, .. })));
    assert!(new(&[1; 255], 1).is_ok());
}

#[test]
fn arrays_larger_than_one_chunk_round_trip() {
    let data: Vec<f64> = (0..100_003).map(f64::from).collect();
    let array = IdxArray::new(vec![100_003], IdxData::F64(data)).unwrap();
    let mut file = Vec::new();
    array.write(&mut file).unwrap();
    assert_eq!(read(&file).unwrap(), array);
    let cut = message(&file[..file.len() - 3]);
    assert_eq!(cut, "truncated at byte 800029: expected 800024 bytes of data, found 800021");
}

fn data(element_type: IdxType, bytes: &[u8]) -> IdxData {
    let at = |i: usize| -> [u8; 8] { std::array::from_fn(|k| bytes[i * 8 + k]) };
    let n = bytes.len() / 8;
    let bits = |i| u64::from_le_bytes(at(i));
    match element_type {
        IdxType::U8 => IdxData::U8((0..n).map(|i| bits(i) as u8).collect()),
        IdxType::I8 => IdxData::I8((0..n).map(|i| bits(i) as i8).collect()),
        IdxType::I16 => IdxData::I16((0..n).map(|i| bits(i) as i16).collect()),
        IdxType::I32 => IdxData::I32((0..n).map(|i| bits(i) as i32).collect()),
        IdxType::F32 => IdxData::F32((0..n).map(|i| f32::from_bits(bits(i) as u32)).collect()),
        IdxType::F64 => IdxData::F64((0..n).map(|i| f64::from_bits(bits(i))).collect()),
    }
}

/// A shape of rank 1 to 255 with at most 64 elements.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    let dimensions = prop::collection::vec(1usize..=4, 1..=3);
    (dimensions, 0usize..=252, any::<prop::sample::Index>()).prop_map(|(dims, ones, at)| {
        let mut shape = dims;
        let at = at.index(shape.len() + 1);
        shape.splice(at..at, std::iter::repeat_n(1, ones));
        shape
    })
}

proptest! {
    // Compares bytes, not values, so that every NaN counts as itself.
    #[test]
    fn every_type_and_rank_round_trips_raw_and_compressed(
        element_type in prop::sample::select(IdxType::ALL.to_vec()),
        shape in shape(),
        bytes in prop::collection::vec(any::<u8>(), 64 * 8),
    ) {
        let count = shape.iter().product::<usize>();
        let array = IdxArray::new(shape, data(element_type, &bytes[..count * 8])).unwrap();
        let (mut raw, mut compressed) = (Vec::new(), Vec::new());
        array.write(&mut raw).unwrap();
        array.write_gzip(&mut compressed).unwrap();
        prop_assert_eq!(raw.len() as u64, array.header_len() + (count * element_type.size()) as u64);
        for file in [&raw, &compressed] {
            let back = read(file).unwrap();
            prop_assert_eq!(back.shape(), array.shape());
            prop_assert_eq!(back.element_type(), element_type);
            let mut again = Vec::new();
            back.write(&mut again).unwrap();
            prop_assert_eq!(&again, &raw);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read(&gzip(&bytes));
    }

    #[test]
    fn arbitrary_bytes_after_a_good_beginning_never_panic(
        gzipped in any::<bool>(),
        code in prop::sample::select(vec![8u8, 9, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F]),
        rank in 0u8..6,
        rest in prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 255]), 0..60),
    ) {
        let mut file = if gzipped { vec![0x1F, 0x8B, 8, 0] } else { vec![0, 0, code, rank] };
        file.extend(rest);
        let _ = read(&file);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_but_never_panics(
        position in 0usize..40,
        value in any::<u8>(),
    ) {
        let mut file = gzip(&LABELS);
        let position = position % file.len();
        file[position] = value;
        let _ = read(&file);
    }
}

//! Whether a JPEG is whole: its decoder fills what is missing with grey, and says nothing.

/// Whether the end of the image (EOI, ITU-T T.81, B.1.1.3) comes after its last scan.
///
/// Segments are stepped over by their lengths, so that the end of a thumbnail in one of them is none.
/// What comes after the end is not looked at: some cameras put a second image there.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    // After the start of the image, FF D8.
    let mut at = 2;
    while let Some((offset, code)) = bytes.get(at..).and_then(marker) {
        at += offset + 2;
        match code {
            0xD9 => return true,
            // Restarts and TEM have no length; FF 00 is a byte of a scan.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => match bytes.get(at..at + 2) {
                Some(length) => at += usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        }
    }
    false
}

/// The next marker: where its FF is and the byte after it. Several FF in a row are filling.
fn marker(bytes: &[u8]) -> Option<(usize, u8)> {
    let pairs = bytes.windows(2).enumerate();
    pairs
        .map(|(at, pair)| (at, pair[0], pair[1]))
        .find(|&(_, a, b)| a == 0xFF && b != 0xFF)
        .map(|(at, _, code)| (at, code))
}

//! Files of images, decoded and resized as those of a folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_data::ImageReader;

fuzz_target!(|bytes: &[u8]| {
    let reader = ImageReader::new([3, 8, 8]).unwrap().with_max_pixels(1 << 20).with_max_bytes(16 << 20);
    match reader.read_bytes(bytes) {
        Ok(pixels) => assert_eq!(pixels.len(), 3 * 8 * 8),
        Err(error) => selvedge_fuzz::assert_short(&error),
    }
});

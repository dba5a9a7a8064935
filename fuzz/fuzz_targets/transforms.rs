//! Transforms described as JSON, and applied to a small image.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_data::Transforms;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Transforms::from_json(text) {
        Ok(transforms) => {
            // Larger than the small image, and most are refused by their size.
            let Ok([channels, height, width]) = transforms.output_shape([3, 6, 5]) else { return };
            assert!(channels * height * width > 0);
        }
        Err(error) => selvedge_fuzz::assert_short(&error),
    }
});

//! Tables of paths and labels.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_data::ImageFolder;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("selvedge-fuzz-{}.csv", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    if let Err(error) = ImageFolder::open(&path) {
        selvedge_fuzz::assert_short(&error);
    }
});

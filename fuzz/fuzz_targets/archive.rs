//! Zip and tar archives, of which one member is wanted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_fetch::Archive;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("selvedge-fuzz-{}", std::process::id()));
    for ending in ["zip", "tar.gz"] {
        let path = path.with_extension(ending);
        std::fs::write(&path, bytes).unwrap();
        if let Err(error) = Archive::new(&path).members(&[("a", 1 << 16)]) {
            selvedge_fuzz::assert_short(&error);
        }
    }
});

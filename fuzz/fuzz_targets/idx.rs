//! IDX files, raw and compressed by gzip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_data::IdxReader;

fuzz_target!(|bytes: &[u8]| {
    // Most lengths that a header can claim are beyond this, as they are beyond most memories.
    if let Err(error) = IdxReader::new().with_limit(1 << 20).read(bytes) {
        selvedge_fuzz::assert_short(&error);
    }
});

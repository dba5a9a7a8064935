//! Networks described as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_models::Architecture;

fuzz_target!(|bytes: &[u8]| {
    let Ok(architecture) = serde_json::from_slice::<Architecture>(bytes) else { return };
    match architecture.summary() {
        Ok(summary) => drop(summary.to_string()),
        Err(error) => selvedge_fuzz::assert_short(&error),
    }
    // What is read is written and read again as the same.
    let text = serde_json::to_vec(&architecture).unwrap();
    assert_eq!(serde_json::from_slice::<Architecture>(&text).unwrap(), architecture);
});

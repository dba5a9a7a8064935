//! Bundles: weights with the architecture, the classes and the normalization beside them.
#![no_main]

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use selvedge_models::Bundle;

fuzz_target!(|bytes: &[u8]| {
    match Bundle::from_bytes(bytes, &Device::flex()) {
        Ok(bundle) => bundle.check().unwrap(),
        Err(error) => selvedge_fuzz::assert_short(&error),
    }
});

//! Files of `torch.save`, both formats: opened, compared with the catalog, and read into a network.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| selvedge_fuzz::read_weights(bytes));

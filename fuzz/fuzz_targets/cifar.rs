//! Files of CIFAR's binary version, raw and compressed by gzip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_data::ImageDataset;
use selvedge_data::formats::cifar::CifarLabels;

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("selvedge-fuzz-{}.bin", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let classes = (0..10).map(|class| class.to_string()).collect();
    let data = ImageDataset::from_cifar_files("fuzz", &[&path], CifarLabels::Cifar10, classes);
    if let Err(error) = data {
        selvedge_fuzz::assert_short(&error);
    }
});

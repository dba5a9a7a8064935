//! Pickles, in an archive that is otherwise sound: what `torch.save` writes, but for its `data.pkl`.
#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use zip::write::{SimpleFileOptions, ZipWriter};

fuzz_target!(|pickle: &[u8]| {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    // As many storages as a small network has, of 64 values each.
    let storages = (0..4).map(|key| (format!("data/{key}"), [0x3f; 256].as_slice()));
    for (name, bytes) in [("data.pkl".to_owned(), pickle)].into_iter().chain(storages) {
        zip.start_file(format!("a/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    selvedge_fuzz::read_weights(&zip.finish().unwrap().into_inner());
});

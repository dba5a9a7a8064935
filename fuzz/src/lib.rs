//! What several fuzz targets do.

use std::fmt::Display;

use burn::tensor::Device;
use selvedge_models::weights::inspect_bytes;
use selvedge_models::{Architecture, Initialization, catalog};

/// No message is longer than a screen's line or two, or has more than a few lines, whatever a file says.
pub fn assert_short(error: &impl Display) {
    let text = error.to_string();
    assert!(text.len() < 4_000 && text.lines().count() < 12, "a long message: {text}");
    let is_plain = |c: char| c == '\n' || !c.is_control();
    assert!(text.chars().all(is_plain), "control characters: {text:?}");
}

/// Opens a file of weights, compares it with two networks, and reads it into a small one.
pub fn read_weights(bytes: &[u8]) {
    let file = match inspect_bytes(bytes) {
        Ok(file) => file,
        Err(error) => return assert_short(&error),
    };
    assert_short(&file);
    let tiny = Architecture::new("tiny", [1, 4, 4]).conv("c", 2, 1, 0).flatten().linear("fc", 2);
    for fit in file.best_fits(&[tiny.clone(), catalog()[0].clone()]) {
        assert_short(&fit);
    }
    let network = tiny.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
    if let Err(error) = file.load_into(network) {
        assert_short(&error);
    }
}

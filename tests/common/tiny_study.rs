//! A transfer study of a second.

use selvedge::prelude::*;
use selvedge::study::transfer::{TransferConfig, TransferStudy};

/// Images with one bright row or column; the label is its position.
pub fn split(vertical: bool) -> Split {
    let lines = |count: usize, offset: usize| {
        let pixel = |i: usize, p: usize| {
            let along = if vertical { p % 8 } else { p / 8 };
            let noise = ((i * 64 + p + offset) as f64 * 78.233).sin().abs() * 120.0;
            noise as u8 + if along / 4 == i % 2 { 60 } else { 0 }
        };
        let images = (0..count).flat_map(|i| (0..64).map(move |p| pixel(i, p))).collect();
        let labels = (0..count).map(|i| (i % 2) as u16).collect();
        let classes = ["first", "second"].map(String::from).to_vec();
        ImageDataset::new("lines", images, [1, 8, 8], labels, classes).unwrap().view()
    };
    Split::new(lines(60, 0), lines(20, 1_000_000), Some(lines(30, 2_000_000))).unwrap()
}

/// From vertical to horizontal lines, in steps of 16 images and two epochs on the target.
pub fn study(fractions: &[f64], seeds: &[u64], pretrain_epochs: usize) -> TransferStudy {
    let network = Architecture::new("tiny", [1, 8, 8]).flatten().linear("fc1", 8).relu();
    let network = network.linear("fc2", 2);
    TransferStudy {
        source_name: "vertical".into(),
        source: split(true),
        target_name: "horizontal".into(),
        target: split(false),
        source_network: network.clone(),
        target_network: network,
        config: TransferConfig {
            fractions: fractions.to_vec(),
            seeds: seeds.to_vec(),
            pretrain_epochs,
            fit: FitConfig { epochs: 2, batch_size: 16, ..FitConfig::default() },
            ..TransferConfig::default()
        },
    }
}

//! The images of the page: those to train on, and those to try.

use std::error::Error;
use std::path::{Path, PathBuf};

use selvedge::data::{IdxArray, IdxData};
use selvedge::files::write;
use selvedge::prelude::*;
use serde_json::json;

/// How many images the page trains on, and tests on: 5 MB.
const IMAGES: [usize; 2] = [10_000, 2_000];

/// Writes the images to train on and those to try, and the list of all.
pub fn write_all(out: &Path, bundle: &str, split: &Split) -> Result<(), Box<dyn Error>> {
    let test = split.test()?;
    let mut files = serde_json::Map::new();
    for (view, count, part) in [(&split.train, IMAGES[0], "train"), (test, IMAGES[1], "test")] {
        let count = count.min(view.len());
        let images: Vec<u8> = (0..count).flat_map(|i| view.image(i)).copied().collect();
        let labels: Vec<u8> = (0..count).map(|i| view.label(i) as u8).collect();
        let [_, height, width] = view.shape();
        for (name, shape, bytes) in
            [("images", vec![count, height, width], images), ("labels", vec![count], labels)]
        {
            let file = format!("{part}-{name}.idx.gz");
            let mut gzip = Vec::new();
            IdxArray::new(shape, IdxData::U8(bytes))?.write_gzip(&mut gzip)?;
            write(out.join(&file), &gzip)?;
            files.insert(format!("{part}_{name}"), file.into());
        }
    }
    let text = "A small network learns from 10,000 images of Fashion-MNIST, here on this device, and is \
                tested on 2,000 others.";
    let samples = samples(out, test)?;
    let data = json!({ "text": text, "classes": test.classes(), "files": files });
    let site = json!({ "bundle": bundle, "samples": samples, "data": data });
    write(out.join("site.json"), serde_json::to_string_pretty(&site)?)?;
    Ok(())
}

/// The first test image of every class, as PNG.
fn samples(out: &Path, test: &View) -> Result<Vec<serde_json::Value>, Box<dyn Error>> {
    let [_, height, width] = test.shape();
    let mut samples = Vec::new();
    for (class, name) in test.classes().iter().enumerate() {
        let first = (0..test.len()).find(|i| usize::from(test.label(*i)) == class);
        let Some(first) = first else { continue };
        let file = PathBuf::from(format!("sample-{class}.png"));
        let pixels = test.image(first).to_vec();
        let image = image::GrayImage::from_raw(width as u32, height as u32, pixels);
        image.ok_or("an image of another size")?.save(out.join(&file))?;
        samples.push(json!({ "file": file, "class": name }));
    }
    Ok(samples)
}

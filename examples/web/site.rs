//! The files of the page.

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use selvedge::cli;
use selvedge::data::{IdxArray, IdxData, View};
use selvedge::files::write;
use selvedge::prelude::*;
use serde_json::json;

/// How many images the page trains on, and tests on: 5 MB.
const IMAGES: [usize; 2] = [10_000, 2_000];

/// The folder of the sources.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies what is written by hand.
pub fn copy_page(out: &Path) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(workspace().join("web/page"))? {
        let path = entry?.path();
        fs::copy(&path, out.join(path.file_name().expect("a file of a folder has a name")))?;
    }
    Ok(())
}

/// The images that the page's network learns from.
pub fn fashion_mnist(source: &Source) -> Result<Split, Box<dyn Error>> {
    Ok(FASHION_MNIST.load(source)?.split_official()?)
}

/// The name of the file of the network that the page begins with: the given one, or one that learns now, unless
/// it is there.
pub fn bundle(
    out: &Path,
    given: Option<&Path>,
    split: &Split,
    epochs: NonZeroUsize,
    context: &Context,
) -> Result<String, Box<dyn Error>> {
    let name = "network.safetensors";
    if let Some(given) = given {
        Bundle::load(given, &context.device)?;
        fs::copy(given, out.join(name))?;
        return Ok(name.into());
    }
    let (name, path) = ("fashion.safetensors", out.join("fashion.safetensors"));
    if !path.is_file() {
        let network = Cnn::cnn2_small(10).architecture();
        let network = network.init(Initialization::PyTorch, 0, &context.device)?;
        let data = FitData::from(split);
        let config = FitConfig { epochs: epochs.get(), batch_size: 64, ..FitConfig::default() };
        let fitted = fit(network, &data, &config, context)?;
        let test = evaluate(&fitted.model, split.test()?, &data.normalization, context)?;
        let accuracy = 100.0 * test.metrics.accuracy;
        cli::print(&format!("the page's network knows {accuracy:.2} % of the test images\n"))?;
        Bundle::new(fitted.model, &data).save(&path)?;
    }
    Ok(name.into())
}

/// Writes the images to train on and those to try, and the list of all.
pub fn data(out: &Path, bundle: &str, split: &Split) -> Result<(), Box<dyn Error>> {
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

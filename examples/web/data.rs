//! The images of the page: those to train on, and those to try.

use std::error::Error;
use std::path::Path;

use image::ImageDecoder;
use selvedge::data::{IdxArray, IdxData};
use selvedge::files::write;
use selvedge::prelude::*;
use serde_json::json;

/// How many images the page trains on, and tests on: 5 MB.
const IMAGES: [usize; 2] = [10_000, 2_000];

/// Pictures to try, as the page lists them.
pub type Samples = Vec<serde_json::Value>;

/// Writes the images to train on, and the list of all that the page reads.
pub fn write_all(
    out: &Path,
    bundle: &str,
    samples: Samples,
    split: &Split,
) -> Result<(), Box<dyn Error>> {
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
    let data = json!({ "text": text, "classes": test.classes(), "files": files });
    let site = json!({ "bundle": bundle, "samples": samples, "data": data });
    write(out.join("site.json"), serde_json::to_string_pretty(&site)?)?;
    Ok(())
}

/// The first test image of every class of a network, as PNG; none if it has a class that they have not.
pub fn samples(out: &Path, test: &View, classes: &[String]) -> Result<Samples, Box<dyn Error>> {
    let [_, height, width] = test.shape();
    let known: Vec<_> =
        classes.iter().filter_map(|name| test.classes().iter().position(|c| c == name)).collect();
    if known.len() < classes.len() {
        return Ok(Samples::new());
    }
    let mut samples = Samples::new();
    for (class, name) in known.into_iter().zip(classes) {
        let first = (0..test.len()).find(|i| usize::from(test.label(*i)) == class);
        let Some(first) = first else { continue };
        let file = format!("sample-{class}.png");
        let pixels = test.image(first).to_vec();
        let image = image::GrayImage::from_raw(width as u32, height as u32, pixels);
        image.ok_or("an image of another size")?.save(out.join(&file))?;
        samples.push(json!({ "file": file, "class": name }));
    }
    Ok(samples)
}

/// Pixels of the longer side of a picture to try: the page shows it small, and no network here takes more.
const MOST_PIXELS: u32 = 512;

/// A picture of one's own, to try.
pub struct Picture {
    name: String,
    image: image::DynamicImage,
}

impl Picture {
    /// Reads a file, which has to be a picture. What cameras write beside the pixels, such as the place, is left out.
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let image = decoded(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let image = match image.width().max(image.height()) > MOST_PIXELS {
            true => image.thumbnail(MOST_PIXELS, MOST_PIXELS),
            false => image,
        };
        Ok(Self { name, image })
    }
}

/// The right way up.
fn decoded(path: &Path) -> image::ImageResult<image::DynamicImage> {
    let reader = image::ImageReader::open(path)?.with_guessed_format()?;
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = image::DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Removes the pictures to try of the page that was there before.
pub fn remove_samples(out: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("sample-") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The same of pictures of one's own, which are called by their files.
pub fn own_samples(out: &Path, pictures: &[Picture]) -> Result<Samples, Box<dyn Error>> {
    let mut samples = Samples::new();
    for (i, Picture { name, image }) in pictures.iter().enumerate() {
        let file = format!("sample-{i}.png");
        image.save(out.join(&file))?;
        samples.push(json!({ "file": file, "class": name }));
    }
    Ok(samples)
}

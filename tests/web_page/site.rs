//! A page to be tried: its files, its server, and what programs say of the same.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use selvedge::data::{IdxArray, IdxData};
use selvedge::prelude::*;
use selvedge::train::Metrics;
use serde_json::json;
use tempfile::TempDir;

use super::browser::Page;
use super::chromium::chromium;
use super::example::program;

/// A folder with a page, and its server, which ends with it.
pub struct Site {
    folder: TempDir,
    server: Child,
    pub address: String,
    chromium: String,
}

/// Fashion-MNIST's test images.
pub fn test_images() -> View {
    let split = FASHION_MNIST.load(&Source::default()).unwrap().split_official().unwrap();
    split.test().unwrap().clone()
}

/// A network that has learned nothing, as a bundle of Fashion-MNIST's classes.
pub fn bundle(seed: u64) -> Bundle {
    let network = Cnn::cnn2_small(10).architecture();
    let network = network.init(Initialization::PyTorch, seed, &Device::flex()).unwrap();
    let classes = test_images().classes().to_vec();
    Bundle::from_parts(network, classes, vec![0.286], vec![0.353])
}

impl Site {
    /// The page as it is in the sources, with few images to train on; none where it cannot be had.
    pub fn new() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = std::env::var_os("SELVEDGE_PAGE").map_or(root.join("runs/web"), PathBuf::from);
        let wasm = built.join("selvedge.wasm.gz");
        if !wasm.is_file() {
            println!("skipped: no WebAssembly: cargo run --example web -- --build-only");
            return None;
        }
        let chromium = chromium()?;
        let folder = tempfile::tempdir().unwrap();
        fs::copy(wasm, folder.path().join("selvedge.wasm.gz")).unwrap();
        for entry in fs::read_dir(root.join("web/page")).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        bundle(1).save(folder.path().join("fashion.safetensors")).unwrap();
        write_site(folder.path());
        let mut server = Command::new(program("web"))
            .args(["--serve-only", "--port", "0", "--out"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').next().unwrap().to_owned();
        Some(Self { folder, server, address, chromium })
    }

    /// The page, ready, in a browser of its own.
    pub fn open(&self, size: [u32; 2]) -> Page {
        let mut page = Page::open(&self.chromium, &self.address, size);
        page.until("document.documentElement?.dataset.ready === 'true'");
        page
    }

    /// Takes the pictures to try from the page, as that of a network of no clothes has none.
    pub fn without_samples(&self) {
        let path = self.folder.path().join("site.json");
        let mut site: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        site["samples"] = json!([]);
        fs::write(path, site.to_string()).unwrap();
    }

    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The images of the page: those to train on, and those to test on.
const PARTS: [std::ops::Range<usize>; 2] = [0..640, 640..840];

/// What `fit` measures in the last epoch of the training that the page does.
pub fn natively_trained(epochs: usize) -> Metrics {
    let device = Device::flex();
    let [train, validation] = PARTS.map(|part| test_images().range(part).unwrap());
    let normalization = Normalization::standardized(&train);
    let data = FitData::new(train, validation, normalization);
    let network = Cnn::cnn2_small(10).architecture();
    let network = network.init(Initialization::PyTorch, 0, &device).unwrap();
    let config =
        FitConfig { epochs, batch_size: 64, learning_rate: 0.003, seed: 0, ..Default::default() };
    let fitted = fit(network, &data, &config, &Context::new(&device)).unwrap();
    fitted.history.epochs.last().unwrap().validation.unwrap()
}

/// What the page reads first, with 640 images to train on and 200 to test on.
fn write_site(folder: &Path) {
    let test = test_images();
    let mut files = serde_json::Map::new();
    for (part, range) in ["train", "test"].into_iter().zip(PARTS) {
        let images = range.clone().flat_map(|i| test.image(i).to_vec()).collect();
        let labels: Vec<u8> = range.clone().map(|i| test.label(i) as u8).collect();
        let parts =
            [("images", vec![range.len(), 28, 28], images), ("labels", vec![range.len()], labels)];
        for (name, shape, bytes) in parts {
            let file = format!("{part}-{name}.idx.gz");
            let array = IdxArray::new(shape, IdxData::U8(bytes)).unwrap();
            array.write_gzip(fs::File::create(folder.join(&file)).unwrap()).unwrap();
            files.insert(format!("{part}_{name}"), file.into());
        }
    }
    fs::write(folder.join("sample-0.png"), png(&test, 0)).unwrap();
    let sample = json!({ "file": "sample-0.png", "class": "Ankle boot" });
    let data = json!({ "text": "…", "classes": test.classes(), "files": files });
    let site = json!({ "bundle": "fashion.safetensors", "samples": [sample], "data": data });
    fs::write(folder.join("site.json"), site.to_string()).unwrap();
}

/// A test image as the bytes of a file.
pub fn png(test: &View, index: usize) -> Vec<u8> {
    let image = image::GrayImage::from_raw(28, 28, test.image(index).to_vec()).unwrap();
    encoded(&image.into())
}

pub fn encoded(image: &image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

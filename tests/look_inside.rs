//! The example `look_inside`: what it writes, and what it refuses.

#[path = "common/example.rs"]
mod example;
#[path = "common/refused.rs"]
mod refused;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use refused::assert_refused;
use selvedge::burn::tensor::TensorData;
use selvedge::models::state;
use selvedge::prelude::*;

/// A bundle of an untrained network with its images.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.save("good.safetensors", files.network());
        let picture = |width: u32, height: u32| {
            image::RgbImage::from_fn(width, height, |x, y| {
                image::Rgb([(x * 9 % 256) as u8, (y * 7 % 256) as u8, ((x + y) * 5 % 256) as u8])
            })
        };
        picture(40, 33).save(files.path("color.png")).unwrap();
        picture(1, 1).save(files.path("one_pixel.png")).unwrap();
        image::GrayImage::from_fn(28, 28, |x, y| image::Luma([(x * y % 256) as u8]))
            .save(files.path("grey.png"))
            .unwrap();
        files
    }

    fn network(&self) -> Network {
        let net = Architecture::new("tiny", [1, 28, 28]).conv("conv1", 4, 5, 2).relu().max_pool(2);
        let net = net.conv("conv2", 8, 3, 1).relu().max_pool(2).flatten().linear("fc1", 3);
        net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap()
    }

    fn save(&self, name: &str, network: Network) {
        let classes = ["bag", "coat", "shirt"].map(String::from).to_vec();
        let bundle = Bundle::from_parts(network, classes, vec![0.29], vec![0.35]);
        bundle.save(self.path(name)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn look(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(example::program("look_inside"));
        command.current_dir(self.folder.path()).args(arguments).args(["--device", "flex"]);
        command
    }

    /// Asserts that it is refused on one line, and that nothing was written.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        let output = self.look(&[arguments, &["--folder", "out"]].concat());
        assert_refused(&output, parts);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.len() < 400, "{errors}");
        assert!(!errors.trim_end().chars().any(char::is_control), "{errors:?}");
        assert!(!self.path("out").exists());
    }
}

/// A BMP of so many pixels that ends after its header: 54 bytes, of which 14 are the file's and 40 the picture's.
fn bmp(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [54, 0, 54, 40, width, height] {
        bytes.extend(number.to_le_bytes());
    }
    // One plane of 24 bits a pixel, not compressed.
    bytes.extend([1, 0, 24, 0]);
    bytes.resize(54, 0);
    bytes
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn a_page_and_its_pictures_are_written_for_images_of_any_size_the_same_with_any_number_of_threads()
{
    let files = Files::new();
    let arguments = [
        "good.safetensors",
        "color.png",
        "grey.png",
        "one_pixel.png",
        "--excite",
        "--attack",
        "0.1",
        "--filter",
        "conv2:7",
    ];
    let mut written = Vec::new();
    for threads in ["1", "3"] {
        let mut command = files.command(&arguments);
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(told, "page and pictures are in runs/look_inside\n");
        let folder = files.path("runs/look_inside");
        // The page, and sheet, maps, a filter in every layer, first filters, what excites and what misleads in two formats
        // each.
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 13);
        written.push(["sheet.png", "sheet.svg", "look.html"].map(|name| read(&folder, name)));
    }
    assert!(written[0] == written[1]);
    let [png, svg, page] = &written[0];
    let png = image::load_from_memory(png).unwrap();
    assert!(png.width() > 1000 && png.height() > 400);
    let [svg, page] = [svg, page].map(|bytes| String::from_utf8(bytes.clone()).unwrap());
    for name in ["color.png", "grey.png", "one_pixel.png", "saliency", "Grad-CAM++", "occlusion"] {
        assert!(svg.contains(name) && page.contains(name), "{name}");
    }
    for part in [
        "What excites it",
        "filter 7 of conv2",
        "under PGD",
        "The maps of color.png",
        "--attack 0.1 --filter conv2:7",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("://"));
}

#[test]
fn a_class_is_given_by_its_name_or_its_number_and_a_layer_by_its_path() {
    let files = Files::new();
    let sheet = |arguments: &[&str]| {
        let output = files.look(&[&["good.safetensors", "grey.png"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        read(&files.path("runs/look_inside"), "sheet.svg")
    };
    let named = sheet(&["--class", "coat"]);
    assert_eq!(sheet(&["--class", "1"]), named);
    let [bag, shirt] = ["bag", "shirt"].map(|class| sheet(&["--class", class]));
    assert!(bag != named && shirt != named && bag != shirt);
    assert_ne!(sheet(&["--layer", "conv1"]), sheet(&["--layer", "conv2"]));
}

#[test]
fn all_maps_of_a_layer_are_drawn_and_what_excites_begins_with_the_image() {
    let files = Files::new();
    let arguments = ["--maps", "relu2,conv1", "--channels", "all", "--excite-from-image"];
    let output = files.look(&[&["good.safetensors", "grey.png"], &arguments[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = |name| String::from_utf8(read(&files.path("runs/look_inside"), name)).unwrap();
    let maps = text("maps.svg");
    assert!(maps.contains(">relu2: 8 channels, ") && maps.contains(">conv1: 4 channels, "));
    // The image, and of each layer its bar and its maps.
    assert_eq!(maps.matches("<image ").count(), 1 + 1 + 8 + 1 + 4);
    assert!(text("excited.svg").contains("by gradient ascent from grey.png"));
}

#[test]
fn images_that_are_none_are_refused_with_their_name_and_nothing_is_written() {
    let files = Files::new();
    for (name, bytes) in [
        ("empty.png", Vec::new()),
        ("no_pixels.bmp", bmp(0, 0)),
        ("ends_early.bmp", bmp(28, 28)),
        ("text.png", b"no picture at all".to_vec()),
    ] {
        std::fs::write(files.path(name), bytes).unwrap();
        files.refuses(&["good.safetensors", "grey.png", name], &[name]);
    }
    std::fs::write(files.path("huge.bmp"), bmp(10_001, 10_000)).unwrap();
    files.refuses(
        &["good.safetensors", "huge.bmp"],
        &["huge.bmp: 10001 × 10000 pixels, more than the limit of 100000000"],
    );
    files.refuses(&["good.safetensors", "missing.png"], &["cannot open missing.png"]);
    files.refuses(&["good.safetensors"], &["<IMAGES>"]);
    let many = vec!["grey.png"; 51];
    let arguments = [&["good.safetensors"], &many[..]].concat();
    files.refuses(&arguments, &["the number of images is 51, but must be 1 to 50"]);
}

#[test]
fn layers_and_classes_that_are_not_there_are_refused_with_those_that_are() {
    let files = Files::new();
    let refuses = |arguments: &[&str], parts: &[&str]| {
        files.refuses(&[&["good.safetensors", "grey.png"], arguments].concat(), parts);
    };
    let names = "its layers are conv1, relu1, pool1, conv2, relu2, pool2, flatten1, fc1";
    refuses(&["--layer", "conv3"], &["`tiny` has no layer named `conv3`", names]);
    refuses(&["--layer", "fc1"], &["it gives features, not maps"]);
    refuses(&["--maps", "relu1,conv3"], &["`tiny` has no layer named `conv3`", names]);
    refuses(&["--maps", "fc1"], &["layer `fc1` of `tiny`: it gives features, not maps"]);
    refuses(&["--channels", "0"], &["'0'", "expected 1 to 65535, or `all`"]);
    refuses(&["--layer", "\u{1b}[2J"], &["no layer named `\\u{1b}[2J`"]);
    let classes = "but must be 0 to 2, or one of bag, coat, shirt";
    refuses(&["--class", "3"], &["class is 3, ", classes]);
    refuses(&["--class", "-1"], &["-1"]);
    refuses(&["--class", "\u{1b}[2J"], &["class is \\u{1b}[2J, ", classes]);
    refuses(&["--filter", "conv2:8"], &["channel is 8, but must be below 8"]);
    refuses(&["--filter", "conv2"], &["filter is conv2, but must be a layer and a number"]);
    for (epsilon, shown) in [("nan", "NaN"), ("5", "5"), ("0", "0")] {
        let told = format!("epsilon is {shown}, but must be above 0 and at most 1");
        refuses(&["--attack", epsilon], &[&told]);
    }
    refuses(&["--dataset", "mnist", "--among", "3"], &["'3'", "--among", "4.."]);
    refuses(&["--dataset", "nowhere"], &["nowhere"]);
}

#[test]
fn weights_that_are_not_finite_and_files_that_are_no_bundle_are_refused() {
    let files = Files::new();
    let nan = TensorData::new(vec![f32::NAN; 3], [3]);
    let network = state::write(files.network(), [("fc1.bias".to_string(), nan)].into());
    files.save("nan.safetensors", network);
    let parts = ["nan.safetensors: fc1.bias: 3 of 3 values are NaN or infinite"];
    files.refuses(&["nan.safetensors", "grey.png"], &parts);
    files.refuses(&["grey.png", "grey.png"], &["grey.png"]);
    files.refuses(&["missing.safetensors", "grey.png"], &["missing.safetensors"]);
    // What was written before stays as it is.
    std::fs::create_dir(files.path("kept")).unwrap();
    std::fs::write(files.path("kept/look.html"), "old").unwrap();
    let output = files.look(&["nan.safetensors", "grey.png", "--folder", "kept"]);
    assert_refused(&output, &parts);
    assert_eq!(std::fs::read_dir(files.path("kept")).unwrap().count(), 1);
    assert_eq!(read(&files.path("kept"), "look.html"), b"old");
}

//! From a folder of images to a network, and from the network to the classes of other files.

#[path = "common/example.rs"]
mod example;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{ImageBuffer, Rgb};

fn example(name: &str) -> Command {
    let mut command = Command::new(example::program(name));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Writes an image of one of two classes: bright above, or bright below; each of another size.
fn photo(path: &Path, class: usize, number: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let (width, height) = (9 + number % 7, 8 + number % 5);
    let image = ImageBuffer::from_fn(width, height, |x, y| {
        let bright = (y < height / 2) == (class == 0);
        let noise = (x * 31 + y * 17 + number * 13) % 40;
        Rgb([if bright { 180 + noise } else { 20 + noise } as u8; 3])
    });
    image.save(path).unwrap();
}

/// A folder of 2 × 40 images, and what was trained on it.
fn trained(folder: &Path, arguments: &[&str]) -> (PathBuf, String) {
    let photos = folder.join("photos");
    for number in 0..40 {
        let kind = ["png", "bmp", "gif", "tiff"][number as usize % 4];
        photo(&photos.join(format!("above/{number}.{kind}")), 0, number);
        photo(&photos.join(format!("below/{number}.{kind}")), 1, number);
    }
    let out = folder.join("out");
    let output = example("finetune")
        .args([photos.as_os_str(), "--output-dir".as_ref(), out.as_os_str()])
        .args(arguments)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    (out.join("model.safetensors"), String::from_utf8(output.stdout).unwrap())
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_folder_of_images_becomes_a_network_that_names_the_classes_of_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = ["--model=cnn2_small", "--epochs=8", "--channels=3", "--resize-size=30"];
    let (bundle, printed) = trained(folder, &settings);
    let expected =
        "2 classes; 64 images train, 16 validate, 3 × 28 × 28\nall layers: validation loss ";
    assert!(printed.starts_with(expected), "{printed}");
    assert!(printed.contains("accuracy 100.00 %"), "{printed}");

    // What it does not know: a folder with a damaged file in the middle, a file beside it, a list.
    let new = folder.join("new");
    photo(&new.join("a.png"), 0, 100);
    std::fs::write(new.join("b.png"), "damaged").unwrap();
    photo(&new.join("c.webp"), 1, 101);
    let (one, other) = (folder.join("one, two.png"), folder.join("other.bmp"));
    photo(&one, 1, 102);
    photo(&other, 0, 103);
    let mut child = example("predict")
        .arg(&bundle)
        .args([&new, &one, &PathBuf::from("-")])
        .args(["--format=csv", "--top-k=1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let list = format!("{}\n\n{}\n", other.display(), folder.join("none.png").display());
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (printed, errors) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines[0], "file,class,probability");
    let expected = [
        (new.join("a.png").display().to_string(), "above"),
        (new.join("c.webp").display().to_string(), "below"),
        (format!("\"{}\"", one.display()), "below"),
        (other.display().to_string(), "above"),
    ];
    assert_eq!(lines.len(), 1 + expected.len(), "{printed}");
    for (line, (file, class)) in lines[1..].iter().zip(expected) {
        assert!(line.starts_with(&format!("{file},{class},")), "{line}");
    }
    let damaged = "b.png: not a PNG, JPEG, BMP, WebP, GIF or TIFF file\n";
    assert!(errors.contains(damaged), "{errors}");
    assert!(errors.contains("cannot open") && errors.contains("none.png"), "{errors}");
    assert!(errors.ends_with("error: 2 of 6 files could not be read\n"), "{errors}");

    // Nothing to predict is told.
    let empty = folder.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let predict = |files: &[&Path]| {
        let mut command = example("predict");
        text(&command.arg(&bundle).args(files).stdin(Stdio::null()).output().unwrap())
    };
    let none = format!("error: {}: no images\n", empty.display());
    assert_eq!(predict(&[&empty]), (String::new(), none.clone()));
    let (printed, errors) = predict(&[&one, &empty]);
    assert_eq!((printed.lines().count(), errors), (1, none));
    let none = "error: standard input: no names of files\n";
    assert_eq!(predict(&[Path::new("-")]), (String::new(), none.into()));

    // Whoever read the answers has gone: the rest of an endless list is not taken.
    let mut child = example("predict");
    let child = child.arg(&bundle).arg("-").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    let (mut list, line) = (child.stdin.take().unwrap(), format!("{}\n", one.display()));
    assert!((0..200_000).any(|_| list.write_all(line.as_bytes()).is_err()));
    assert!(child.wait().unwrap().success());

    // JSON, a line for each file, with all classes.
    let mut command = example("predict");
    command.arg(&bundle).arg(&one).args(["--format=json", "--top-k=5"]);
    let output = command.output().unwrap();
    let (printed, errors) = text(&output);
    assert!(output.status.success(), "{errors}");
    let record: serde_json::Value = serde_json::from_str(printed.trim_end()).unwrap();
    assert_eq!(record["file"], one.display().to_string());
    let classes = record["predictions"].as_array().unwrap();
    assert_eq!((&classes[0]["class"], classes.len()), (&"below".into(), 2));

    // On from its weights: the network and the normalization are in the file.
    let weights = ["--weights", bundle.to_str().unwrap(), "--epochs=1"];
    let (tuned, printed) = trained(&folder.join("again"), &weights);
    assert!(printed.contains("head alone: validation loss"), "{printed}");
    let [first, second] = [&bundle, &tuned].map(|path| {
        let device = selvedge::device::open("flex").unwrap();
        selvedge::models::Bundle::load(path, &device).unwrap()
    });
    assert_eq!(first.mean(), second.mean());
    assert_eq!(first.network().architecture(), second.network().architecture());
    use selvedge::models::ImageResize::ShorterSide;
    assert_eq!((first.resize(), second.resize()), (Some(ShorterSide(30)), Some(ShorterSide(28))));
}

#[test]
fn a_damaged_image_ends_fine_tuning_with_its_name_unless_it_is_to_be_skipped() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10 {
        photo(&folder.path().join(format!("p/train/a/{number}.png")), 0, number);
        photo(&folder.path().join(format!("p/train/b/{number}.png")), 1, number);
    }
    // One of those to validate on was learned.
    photo(&folder.path().join("p/val/b/same.png"), 1, 3);
    std::fs::write(folder.path().join("p/train/a/4.png"), "damaged").unwrap();
    let out = folder.path().join("out");
    let run = |arguments: &[&str]| {
        let mut command = example("finetune");
        command.arg(folder.path().join("p")).arg("--output-dir").arg(&out);
        command.args(["--model=cnn2_small", "--epochs=1"]).args(arguments).output().unwrap()
    };
    let (printed, errors) = text(&run(&[]));
    assert!(printed.is_empty() && !out.exists());
    let damaged = "a/4.png: not a PNG, JPEG, BMP, WebP, GIF or TIFF file";
    assert!(errors.lines().last().unwrap().ends_with(damaged), "{errors}");
    let (_, errors) = text(&run(&["--normalization=imagenet", "--skip-damaged"]));
    assert!(errors.ends_with("normalization imagenet: for 3 channels, not 1\n"), "{errors}");
    let output = run(&["--skip-damaged", "--validation-fraction=0.3"]);
    let (printed, errors) = text(&output);
    assert!(output.status.success(), "{errors}");
    assert!(
        printed.starts_with("2 classes; 19 images train, 1 validate, 1 × 28 × 28\n"),
        "{printed}"
    );
    assert!(errors.contains("left out: ") && errors.contains(damaged), "{errors}");
    let unused = "--validation-fraction is not used: images to validate on are there already\n";
    assert!(errors.contains(unused), "{errors}");
    let shared = "1 of the validation images are among the training images, too";
    assert!(errors.contains(shared), "{errors}");
    assert!(errors.contains("validation: no image of 1 class: `a`"), "{errors}");
}

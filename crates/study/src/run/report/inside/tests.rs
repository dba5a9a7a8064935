use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use selvedge_data::ImageDataset;
use selvedge_train::Context;

use crate::store::FolderStore;
use crate::{Datasets, Runner, StudyResults};

/// A grey square on black, on the left or on the right.
fn datasets() -> Datasets {
    let label = |i: usize| i % 2;
    let pixel = |i: usize, at: usize| {
        let (row, column) = (at / 16, at % 16);
        let from = 2 + 6 * label(i) + i % 3;
        let is_inside = (from..from + 5).contains(&column) && (5..11).contains(&row);
        if is_inside { 150 + (i % 50) as u8 } else { 0 }
    };
    let pixels = (0..60).flat_map(|i| (0..256).map(move |at| pixel(i, at))).collect();
    let labels = (0..60).map(|i| label(i) as u16).collect();
    let classes = vec!["left".into(), "right".into()];
    let images = ImageDataset::new("squares", pixels, [1, 16, 16], labels, classes).unwrap();
    let split = images.view().split_stratified_three([0.5, 0.25, 0.25], 0).unwrap();
    Datasets::default().with("squares", split)
}

fn run(store: &Path, keeps_models: bool, text: &str) -> StudyResults {
    let text = format!("[study]\nseeds = 1\n{text}");
    let (datasets, store) = (datasets(), Arc::new(FolderStore::open(store).unwrap()));
    let runner = Runner::new(store, &datasets, "flex");
    let runner = if keeps_models { runner.with_models() } else { runner };
    runner.run(&text.parse().unwrap(), &Context::new(&Device::flex())).unwrap()
}

const CNN: &str = "[base]\ndataset = 'squares'\nmodel = 'cnn3'\nepochs = 1\nbatch_size = 10\n";
const HEADING: &str = "<h2>Inside the best network</h2>";

/// The page, and the names of the figures.
fn report(results: &StudyResults) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    results.write_report(folder.path(), "again").unwrap();
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    let files = std::fs::read_dir(folder.path().join("figures")).unwrap();
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    (page, files.collect())
}

#[test]
fn a_model_that_was_kept_shows_its_maps_and_one_that_was_not_says_how_to_get_them() {
    let store = tempfile::tempdir().unwrap();
    let (page, files) = report(&run(store.path(), false, CNN));
    assert!(page.contains(HEADING) && page.contains("The same command with --keep-models"));
    assert!(!files.iter().any(|name| name.starts_with("feature_maps")));

    let (page, files) = report(&run(store.path(), true, CNN));
    assert!(page.contains(HEADING) && !page.contains("--keep-models"));
    for text in [
        "Variant base, seed 0: what its 3 convolutions make of the first test image of each class.",
        ">conv1, after relu1: 6 of 10 channels, 16 × 16<",
        ">conv3, after relu3: 6 of 20 channels, 4 × 4<",
        ">left<",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // In each of three layers a bar, and for both classes the image and six maps.
    assert_eq!(page.matches("<image ").count(), 3 * (1 + 2 * 7));
    assert!(!page.contains("://"));
    for name in ["feature_maps.svg", "feature_maps.png"] {
        assert!(files.iter().any(|file| file == name), "{name}");
    }
}

#[test]
fn a_damaged_model_loses_its_maps_and_not_the_report() {
    let store = tempfile::tempdir().unwrap();
    let results = run(store.path(), true, CNN);
    for file in std::fs::read_dir(store.path().join("weights")).unwrap() {
        std::fs::write(file.unwrap().path(), "\u{1b}[2Jno weights").unwrap();
    }
    let (page, files) = report(&results);
    assert!(page.contains("The model of variant base, seed 0 is damaged: neither a file"));
    assert!(page.contains("<h2>The variants</h2>") && !page.contains('\u{1b}'));
    assert!(!files.iter().any(|name| name.starts_with("feature_maps")));
}

#[test]
fn an_autoencoder_shows_originals_noise_and_reconstructions() {
    let text = "[base]\ndataset = 'squares'\ntask = 'reconstruct'\nnormalization = 'unit'\nepochs = 1\n\
                batch_size = 10\nmodel = { name = 'linear_autoencoder', hidden = [16, 8] }\n";
    let rows = |text: &str| {
        let (page, files) = report(&run(tempfile::tempdir().unwrap().path(), true, text));
        assert!(files.iter().any(|file| file == "reconstructions.png"));
        // It has no convolutions.
        assert!(!files.iter().any(|name| name.starts_with("feature_maps")));
        (page.matches("<image ").count(), page.contains(">with noise<"))
    };
    assert_eq!(rows(text), (2 * 10, false));
    assert_eq!(rows(&format!("{text}input_noise = 0.3\n")), (3 * 10, true));
}

#[test]
fn the_autoencoder_that_the_best_began_with_is_shown_without_keeping_models() {
    let text = "[base]\ndataset = 'squares'\nmodel = 'encoder_cnn'\nepochs = 1\nbatch_size = 10\n\
                [base.pretrain]\nmodel = 'conv_autoencoder'\ntask = 'reconstruct'\nnormalization = 'unit'\n\
                keep = 'conv*'\n";
    let (page, files) = report(&run(tempfile::tempdir().unwrap().path(), false, text));
    assert!(
        page.contains("The pre-training of variant base, seed 0: 10 test images at the top, and at the bottom what")
    );
    assert!(page.contains("The same command with --keep-models"));
    assert!(files.iter().any(|file| file == "reconstructions.svg"));
}

#[test]
fn a_network_without_anything_to_show_has_no_section() {
    let text = "[base]\ndataset = 'squares'\nmodel = { name = 'mlp', hidden = 4 }\nepochs = 1\n";
    for keeps_models in [false, true] {
        let (page, _) = report(&run(tempfile::tempdir().unwrap().path(), keeps_models, text));
        assert!(!page.contains(HEADING));
    }
}

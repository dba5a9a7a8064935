//! Settings of recipes: a first layer that whitens, and test images in several views.

use std::path::Path;

use selvedge_models::{Architecture, Conv};

use super::tests::{bits, datasets, run};
use super::*;
use crate::config::Part;
use crate::store::FolderStore;

/// A study of a network whose first layer could whiten images of 6 × 6, `more` among its settings.
fn study(folder: &Path, more: &str) -> String {
    let net = Architecture::new("net", [1, 6, 6]).layer("first", Conv::new(8, 2)).relu();
    let net = serde_json::to_string(&net.flatten().linear("fc", 2)).unwrap();
    let path = folder.join("net.json");
    std::fs::write(&path, net).unwrap();
    format!(
        "[study]\nseeds = 1\n[base]\ndataset = 'halves'\nmodel = {:?}\nbatch_size = 10\nepochs = 8\n\
         learning_rate = 0.01\n{more}\n",
        path.display()
    )
}

fn scores(results: &StudyResults, part: Part) -> (f64, f64) {
    let trial = results.trials().next().unwrap();
    (trial.scores[&part]["loss"], trial.scores[&part]["accuracy"])
}

#[test]
fn a_first_layer_that_whitens_is_another_trial_with_the_same_bits_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let with = |store: &str, more: &str| run(&dir.path().join(store), &study(dir.path(), more));
    let plain = with("a", "");
    let whitened = with("a", "whiten = 'first'\nfreeze = 'first.weight'");
    let again = with("b", "whiten = 'first'\nfreeze = 'first.weight'");
    assert_eq!(bits(&whitened), bits(&again));
    // That it is frozen is not all that differs.
    let frozen = with("a", "freeze = 'first.weight'");
    let losses = [&plain, &whitened, &frozen].map(|results| scores(results, Part::Validation).0);
    assert!(losses[0] != losses[1] && losses[1] != losses[2], "{losses:?}");
}

#[test]
fn a_layer_that_cannot_whiten_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(FolderStore::open(dir.path().join("store")).unwrap());
    let study = study(dir.path(), "whiten = 'fc'").parse().unwrap();
    let datasets = datasets();
    let context = super::tests::context();
    let error = Runner::new(store, &datasets, "flex").run(&study, &context).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("`fc`") && message.contains("`first`"), "{message}");
    assert!(!dir.path().join("store/trials").exists());
}

#[test]
fn mirrored_views_of_test_images_cost_what_depends_on_the_side_and_choose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let with = |more: &str| run(&dir.path().join("store"), &study(dir.path(), more));
    let [plain, mirrored] = [with(""), with("test_time = { flips = true }")];
    assert_eq!(scores(&plain, Part::Validation), scores(&mirrored, Part::Validation));
    // Which half is brighter: with its mirror image beside it no image tells.
    let [seen, both] = [&plain, &mirrored].map(|results| scores(results, Part::Test).1);
    assert!(seen > 0.9 && both < 0.75, "{seen}, {both}");
}

#[test]
fn views_that_leave_nothing_of_an_image_are_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(FolderStore::open(dir.path().join("store")).unwrap());
    let study = study(dir.path(), "test_time = { shifts = 6 }").parse().unwrap();
    let (datasets, context) = (datasets(), super::tests::context());
    let error = Runner::new(store, &datasets, "flex").run(&study, &context).unwrap_err();
    assert!(error.to_string().contains("6 x 6"), "{error}");
    assert!(!dir.path().join("store/trials").exists());
}

#[test]
fn an_autoencoder_has_no_views() {
    let text =
        "[base]\ntask = 'reconstruct'\nmodel = 'linear_autoencoder'\ntest_time = { flips = true }";
    let error = text.parse::<crate::StudyConfig>().unwrap_err().to_string();
    assert!(error.contains("test_time: a classifier alone"), "{error}");
}

//! Settings of recipes: a first layer that whitens, test images in several views, and weights of a file.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use selvedge_models::weights::{self, InputChannels, LoadOptions};
use selvedge_models::{Architecture, Bundle, Conv, Initialization, state};

use super::tests::{bits, datasets, run};
use super::*;
use crate::config::Part;
use crate::store::FolderStore;

/// A network for images of so many channels, with a first kernel of this size.
fn net(channels: usize, kernel: usize) -> Architecture {
    let net = Architecture::new("net", [channels, 6, 6]).layer("first", Conv::new(8, kernel));
    net.relu().flatten().linear("fc", 2)
}

/// A study of a network whose first layer could whiten images of 6 × 6, `more` among its settings.
fn study(folder: &Path, more: &str) -> String {
    let net = serde_json::to_string(&net(1, 2)).unwrap();
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

/// Why this study is refused; nothing was run.
fn refused(folder: &Path, study: &str) -> String {
    let store = Arc::new(FolderStore::open(folder.join("refused")).unwrap());
    let (datasets, context, study) = (datasets(), super::tests::context(), study.parse().unwrap());
    let error = Runner::new(store, &datasets, "flex").run(&study, &context).unwrap_err();
    assert!(!folder.join("refused/trials").exists());
    error.to_string()
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
    let message = refused(dir.path(), &study(dir.path(), "whiten = 'fc'"));
    assert!(message.contains("`fc`") && message.contains("`first`"), "{message}");
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
    let message = refused(dir.path(), &study(dir.path(), "test_time = { shifts = 6 }"));
    assert!(message.contains("6 x 6"), "{message}");
}

#[test]
fn an_autoencoder_has_no_views() {
    let text =
        "[base]\ntask = 'reconstruct'\nmodel = 'linear_autoencoder'\ntest_time = { flips = true }";
    let error = text.parse::<crate::StudyConfig>().unwrap_err().to_string();
    assert!(error.contains("test_time: a classifier alone"), "{error}");
}

/// A file of the weights of such a network.
fn weights_file(folder: &Path, channels: usize, kernel: usize) -> PathBuf {
    let network = net(channels, kernel).init(Initialization::PyTorch, 3, &Device::flex()).unwrap();
    let path = folder.join(format!("{channels}_{kernel}.safetensors"));
    network.save_safetensors(&path).unwrap();
    path
}

/// Settings of a trial that begins with all of a file but the head, and leaves the first layer as it is.
fn frozen(weights: &Path) -> String {
    format!("pretrain = {{ weights = '{}' }}\nfreeze = 'first.*'", weights.display())
}

#[test]
fn weights_for_colour_images_are_summed_over_the_channels_for_grey_ones() {
    let dir = tempfile::tempdir().unwrap();
    let coloured = weights_file(dir.path(), 3, 2);
    // The same network as a training leaves it.
    let bundle = dir.path().join("bundle.safetensors");
    let network = net(3, 2).init(Initialization::PyTorch, 3, &Device::flex()).unwrap();
    let classes = vec!["left".into(), "right".into()];
    Bundle::from_parts(network, classes, vec![0.5; 3], vec![0.5; 3]).save(&bundle).unwrap();
    let summed = dir.path().join("summed.safetensors");
    let options =
        LoadOptions { partial: true, input_channels: InputChannels::Sum, ..LoadOptions::default() };
    let drawn = net(1, 2).init(Initialization::PyTorch, 3, &Device::flex()).unwrap();
    let by_hand = weights::inspect(&coloured).unwrap().load_with(drawn, &options).unwrap().0;
    by_hand.save_safetensors(&summed).unwrap();
    let with = |store: &str, weights: &Path| {
        run(&dir.path().join(store), &study(dir.path(), &frozen(weights)))
    };
    let [expected, of_file, of_bundle] =
        [("a", &summed), ("b", &coloured), ("c", &bundle)].map(|(store, file)| with(store, file));
    for results in [of_file, of_bundle] {
        assert_eq!(scores(&results, Part::Validation), scores(&expected, Part::Validation));
    }
}

#[test]
fn a_frozen_layer_that_the_weights_do_not_fit_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let frozen = frozen(&weights_file(dir.path(), 1, 3));
    let message = refused(dir.path(), &study(dir.path(), &frozen));
    assert!(message.contains("first.weight would stay as before any training"), "{message}");
    // The same in a training before the one before.
    let nested = format!("pretrain = {{ pretrain = {{ {} }} }}", frozen.replace('\n', ", "));
    let message = refused(dir.path(), &study(dir.path(), &nested));
    assert!(message.contains("first.weight would stay as before any training"), "{message}");
}

#[test]
fn weights_that_give_nothing_of_what_is_carried_over_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let weights = weights_file(dir.path(), 1, 3);
    let keep = format!("pretrain = {{ weights = '{}', keep = 'first.weight' }}", weights.display());
    let message = refused(dir.path(), &study(dir.path(), &keep));
    assert!(message.contains("nothing of") && message.contains("1_3.safetensors"), "{message}");
}

#[test]
fn running_statistics_of_a_frozen_layer_that_are_not_in_the_weights_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let net =
        Architecture::new("net", [1, 6, 6]).layer("first", Conv::new(8, 2)).batch_norm("norm");
    let net = net.relu().flatten().linear("fc", 2);
    let mut state = state::read(&net.init(Initialization::PyTorch, 3, &Device::flex()).unwrap());
    state.retain(|name, _| !name.contains("running"));
    let weights = dir.path().join("weights.safetensors");
    weights::save_state(&weights, &state).unwrap();
    let with = |freeze: &str| {
        let pretrain = format!("pretrain = {{ weights = '{}' }}", weights.display());
        let study = study(dir.path(), &format!("{pretrain}\nfreeze = '{freeze}'"));
        std::fs::write(dir.path().join("net.json"), serde_json::to_string(&net).unwrap()).unwrap();
        study
    };
    let message = refused(dir.path(), &with("norm.*"));
    assert!(message.contains("norm.running_mean and 1 more would stay"), "{message}");
    // With a scale that learns, the layer learns its statistics as well.
    run(&dir.path().join("store"), &with("first.*, norm.bias"));
}

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::Device;
use selvedge_data::{ImageDataset, SplitMix64};

use super::watched::Watched;
use super::*;
use crate::store::FolderStore;
use crate::trial::Ending;

/// Images of 6 × 6 whose class is the half that is brighter, as noise allows.
pub(super) fn datasets() -> Datasets {
    let mut rng = SplitMix64::new(7);
    let labels: Vec<u16> = (0..120).map(|i| i % 2).collect();
    let pixel = |rng: &mut SplitMix64, right: bool, label: u16| {
        let bright = if right == (label == 1) { 90.0 } else { 0.0 };
        (bright + 160.0 * rng.unit()) as u8
    };
    let image =
        |&label: &u16| -> Vec<u8> { (0..36).map(|i| pixel(&mut rng, i % 6 > 2, label)).collect() };
    let pixels = labels.iter().flat_map(image).collect();
    let classes = vec!["left".into(), "right".into()];
    let images = ImageDataset::new("halves", pixels, [1, 6, 6], labels, classes).unwrap();
    let split = images.view().split_stratified_three([0.5, 0.25, 0.25], 0).unwrap();
    Datasets::default().with("halves", split)
}

pub(super) const STUDY: &str = "[study]\nseeds = 2\n[base]\ndataset = 'halves'\nmodel = { name = 'mlp', hidden = 4 }\n\
                     batch_size = 10\nepochs = 2\n[vary]\nlearning_rate = [0.1, 0.01]\n";

pub(super) fn context() -> Context {
    Context::new(&Device::flex())
}

pub(super) fn run_with(store: Arc<dyn Store>, text: &str, context: &Context) -> StudyResults {
    let (datasets, study) = (datasets(), text.parse().unwrap());
    Runner::new(store, &datasets, "flex").run(&study, context).unwrap()
}

pub(super) fn run(folder: &Path, text: &str) -> StudyResults {
    run_with(Arc::new(FolderStore::open(folder).unwrap()), text, &context())
}

/// Everything that follows from settings and seeds, to the bit.
pub(super) fn bits(results: &StudyResults) -> Vec<String> {
    let trials = results.trials().map(|trial| {
        let mut trial = trial.clone();
        trial.seconds = 0.0;
        trial.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
        crate::record::to_text(&trial).unwrap()
    });
    trials.collect()
}

#[test]
fn a_finished_trial_is_never_run_again_and_a_new_value_or_seed_runs_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let store = Watched::new(folder.path(), usize::MAX);
    let first = run_with(store.clone(), STUDY, &context());
    assert!(first.complete());
    assert_eq!(store.trials(), 4);
    let again = run_with(store.clone(), STUDY, &context());
    assert_eq!((store.trials(), bits(&again)), (4, bits(&first)));
    let value = STUDY.replace("[0.1, 0.01]", "[0.1, 0.01, 0.001]");
    run_with(store.clone(), &value, &context());
    assert_eq!(store.trials(), 6);
    let seed = value.replace("seeds = 2", "seeds = 3");
    run_with(store.clone(), &seed, &context());
    assert_eq!(store.trials(), 9);
    // Another study with a trial in common.
    let other = STUDY.replace("learning_rate = [0.1, 0.01]", "batch_size = [10, 20]");
    run_with(store.clone(), &other.replace("epochs", "learning_rate = 0.1\nepochs"), &context());
    assert_eq!(store.trials(), 11);
}

#[test]
fn any_number_of_jobs_gives_the_same_bits() {
    let folders = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let one = run(folders[0].path(), STUDY);
    let store = Arc::new(FolderStore::open(folders[1].path()).unwrap());
    let many = run_with(store, STUDY, &context().with_jobs(3));
    assert_eq!(bits(&one), bits(&many));
}

#[test]
fn a_store_that_fills_up_keeps_what_was_finished_and_says_how_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (datasets, study) = (datasets(), STUDY.parse().unwrap());
    let full = Watched::new(folder.path(), 2);
    let error = Runner::new(full.clone(), &datasets, "flex").run(&study, &context()).unwrap_err();
    let expected = format!(
        "{}: no space left on device; what is finished is kept there, and the same command goes on from it",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    let store = Watched::new(folder.path(), usize::MAX);
    let results = run_with(store.clone(), STUDY, &context());
    assert!(results.complete());
    assert_eq!((full.trials(), store.trials()), (2, 2));
}

#[test]
fn a_damaged_record_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), STUDY);
    let trial =
        folder.path().join("trials").join(format!("{}.toml", first.trials().next().unwrap().key));
    let mut text = std::fs::read_to_string(&trial).unwrap();
    text.truncate(text.len() / 2);
    std::fs::write(&trial, text).unwrap();
    let store = Watched::new(folder.path(), usize::MAX);
    let again = run_with(store.clone(), STUDY, &context());
    assert_eq!((store.trials(), bits(&again)), (1, bits(&first)));
}

#[test]
fn processes_share_the_trials_of_a_study() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [0, 1, 2].map(|_| Watched::new(folder.path(), usize::MAX));
    let bits_of_each: BTreeSet<_> = std::thread::scope(|scope| {
        let runs = stores.each_ref().map(|store| {
            let store = store.clone();
            scope.spawn(move || bits(&run_with(store, STUDY, &context())))
        });
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(bits_of_each.len(), 1, "all end in the same table");
    assert_eq!(stores.iter().map(|store| store.trials()).sum::<usize>(), 4);
    let leases = FolderStore::open(folder.path()).unwrap().list("leases/").unwrap();
    assert!(leases.is_empty(), "{leases:?}");
}

#[test]
fn a_trial_that_diverges_is_a_row_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        STUDY.replace("[0.1, 0.01]", "[1e30, 0.01]").replace("epochs", "optimizer = 'sgd'\nepochs");
    let results = run(folder.path(), &text);
    assert!(results.complete());
    let diverged = |variant: &VariantResults| {
        let ends = variant.trials.iter().flatten().map(|trial| trial.ending.clone());
        ends.filter(|ending| matches!(ending, Ending::Diverged { .. })).count()
    };
    assert_eq!(results.variants.iter().map(diverged).collect::<Vec<_>>(), [2, 0]);
    assert_eq!(results.variants[0].values(&results.study), [None, None]);
}

#[test]
fn a_pre_training_is_run_once_for_all_that_begin_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{STUDY}[[variant]]\nname = 'random'\n[[variant]]\nname = 'pre-trained'\n\
         [variant.pretrain]\ndataset = 'halves'\nmodel = {{ name = 'mlp', hidden = 4 }}\nepochs = 3\n"
    );
    let store = Watched::new(folder.path(), usize::MAX);
    let results = run_with(store.clone(), &text, &context());
    // Two arms, two rates, two seeds; and a pre-training a seed.
    assert_eq!(store.trials(), 8 + 2);
    assert_eq!(results.before.len(), 2);
    let first_loss =
        |at: usize| results.variants[at].trials[0].as_ref().unwrap().epochs[0].train[0];
    assert!(first_loss(2) < first_loss(0), "it begins with what was learned");
    // Gone weights are made again.
    let weights = FolderStore::open(folder.path()).unwrap().list("weights/").unwrap();
    assert_eq!(weights.len(), 2);
    std::fs::remove_file(folder.path().join(&weights[0])).unwrap();
    let again = run_with(store.clone(), &text, &context());
    assert_eq!((store.trials(), bits(&again)), (11, bits(&results)));
}

#[test]
fn a_variant_of_which_a_trial_diverged_is_not_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = run(folder.path(), STUDY);
    let best = results.table().rows[0].variant;
    let trial = results.variants[best].trials[0].as_mut().unwrap();
    trial.ending = Ending::Diverged { epoch: 1, batch: 2 };
    let table = results.table();
    assert_ne!(table.rows[0].variant, best);
    assert_eq!((table.rows[1].variant, table.rows[1].missing()), (best, 1));
    let answer = table.answer();
    assert!(answer.contains("One variant has trials without a value"), "{answer}");
}

#[test]
fn names_that_match_nothing_are_found_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Watched::new(folder.path(), usize::MAX);
    let datasets = datasets();
    for (more, expected) in [
        (
            "freeze = 'conv9*'\n",
            "line 4: variant \"learning_rate=0.1\": no parameter of `mlp` is selected by `conv9*`",
        ),
        ("task = 'reconstruct'\n", "must be one that gives 36, as the task has"),
        (
            "transforms = [{ name = 'center_crop', size = [4, 4] }]\n",
            "the transforms make images of [1, 4, 4]",
        ),
        ("pretrain = { keep = 'conv9*' }\n", "is selected by `conv9*`"),
    ] {
        let text = STUDY.replace("dataset", &format!("{more}dataset"));
        let study: StudyConfig = text.parse().unwrap();
        let error =
            Runner::new(store.clone(), &datasets, "flex").run(&study, &context()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(store.asked("put "), 0);
}

#[test]
fn an_impossible_variant_is_refused_before_anything_runs_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = STUDY
        .replace("[0.1, 0.01]", "[0.1, 0.01]\nmodel = [\n 'mlp', { name = 'mlp', dropout = 0.5 }]");
    let store = Watched::new(folder.path(), usize::MAX);
    let (datasets, study) = (datasets(), text.parse().unwrap());
    let error = Runner::new(store.clone(), &datasets, "flex").run(&study, &context()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("line 10: variant \"learning_rate=0.1, model=mlp dropout 0.5\": "),
        "{message}"
    );
    assert!(message.ends_with("must be left out: `mlp` has no such setting"), "{message}");
    assert_eq!(store.asked("put "), 0);
    // The images have one channel.
    for (numbers, expected) in [
        ("mean = [0.5, 0.5], std = [0.5, 0.5]", "2 means"),
        ("mean = [0.5], std = [0.0]", "standard deviation"),
        ("mean = [nan], std = [0.5]", "mean"),
        ("mean = [], std = []", "0 means"),
    ] {
        let text = STUDY.replace("[base]", &format!("[base]\nnormalization = {{ {numbers} }}"));
        let study = text.parse().unwrap();
        let runner = Runner::new(store.clone(), &datasets, "flex");
        let error = runner.run(&study, &context()).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("line "), "{error}");
    }
    assert_eq!(store.asked("put "), 0);
    let text = STUDY.replace("'halves'", "'quarters'");
    let error =
        Runner::new(store, &datasets, "flex").run(&text.parse().unwrap(), &context()).unwrap_err();
    assert!(error.to_string().contains("quarters"), "{error}");
}

#[test]
fn a_study_that_is_stopped_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let whole = tempfile::tempdir().unwrap();
    let stopped = context();
    stopped.stop.request();
    let store = Arc::new(FolderStore::open(folder.path()).unwrap());
    let results = run_with(store, STUDY, &stopped);
    assert!(!results.complete());
    assert_eq!(bits(&run(folder.path(), STUDY)), bits(&run(whole.path(), STUDY)));
}

#[test]
fn a_search_tries_the_same_variants_however_often_it_is_killed() {
    let text = "[study]\nseeds = 1\nbudget = 9\nsearch = 'tpe'\n[base]\ndataset = 'halves'\nepochs = 1\n\
                model = { name = 'mlp', hidden = 4 }\nbatch_size = 10\n\
                [vary]\nlearning_rate = { min = 1e-4, max = 1, log = true }\n\
                'model.hidden' = [2, 4, 8]\n'model.activation' = ['relu', 'tanh']";
    let whole = run(tempfile::tempdir().unwrap().path(), text);
    assert_eq!(whole.variants.len(), 9);
    let names: BTreeSet<_> = whole.variants.iter().map(|v| v.variant.name.clone()).collect();
    assert_eq!(names.len(), 9, "none is tried twice");
    let folder = tempfile::tempdir().unwrap();
    let (datasets, study) = (datasets(), text.parse().unwrap());
    for _ in 0..4 {
        let runner = Runner::new(Watched::new(folder.path(), 2), &datasets, "flex");
        runner.run(&study, &context()).unwrap_err();
    }
    assert_eq!(bits(&run(folder.path(), text)), bits(&whole));
}

#[test]
fn halving_trains_the_better_ones_longer() {
    let text = "[study]\nseeds = 1\nbudget = 9\nsearch = { name = 'successive_halving', smallest = 1 }\n\
                [base]\ndataset = 'halves'\nepochs = 9\nmodel = { name = 'mlp', hidden = 4 }\nbatch_size = 10\n\
                [vary]\nlearning_rate = { min = 1e-5, max = 1, log = true }";
    let results = run(tempfile::tempdir().unwrap().path(), text);
    let epochs = results.variants.iter().map(|v| v.variant.trial.fit.epochs).collect::<Vec<_>>();
    assert_eq!(epochs, [1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 9]);
    let value = |at: usize| results.variants[at].values(&results.study)[0].unwrap();
    let rate = |at: usize| results.variants[at].variant.trial.fit.learning_rate;
    let mut first: Vec<usize> = (0..9).collect();
    first.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
    let mut best: Vec<f64> = first[..3].iter().map(|&at| rate(at)).collect();
    let mut second: Vec<f64> = (9..12).map(rate).collect();
    best.sort_by(f64::total_cmp);
    second.sort_by(f64::total_cmp);
    assert_eq!(second, best);
    let message = |text: &str| text.parse::<StudyConfig>().unwrap_err().to_string();
    let wrong = message(&text.replace("smallest = 1", "smallest = 10"));
    assert!(
        wrong.ends_with("smallest is 10, but must be from 1 to the base's 9 epochs"),
        "{wrong}"
    );
    let wrong = message(&text.replace("learning_rate =", "epochs = [1, 2]\nlearning_rate ="));
    assert!(wrong.ends_with("halving chooses the epochs: they cannot vary, too"), "{wrong}");
}

#[test]
fn arms_are_compared_wherever_all_else_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("{STUDY}[[variant]]\nname = 'short'\n[[variant]]\nname = 'long'\nepochs = 6\n");
    let results = run(folder.path(), &text);
    let contrasts = results.contrasts(crate::config::Part::Test, "loss");
    let places: Vec<_> = contrasts.iter().map(|c| (c.arm.as_str(), c.at.as_str(), c.n)).collect();
    assert_eq!(places, [("long", "learning_rate=0.1", 2), ("long", "learning_rate=0.01", 2)]);
    let test = |variant: usize, seed: usize| {
        results.variants[variant].trials[seed]
            .as_ref()
            .unwrap()
            .score(crate::config::Part::Test, "loss")
            .unwrap()
    };
    // Variants 0 and 1 are short, 2 and 3 long.
    let difference = (test(3, 0) - test(1, 0) + test(3, 1) - test(1, 1)) / 2.0;
    assert!((contrasts[1].difference - difference).abs() < 1e-12);
    assert!(contrasts[1].difference < 0.0, "more epochs learn more");
    assert!(contrasts.iter().all(|c| c.is_chance()), "two seeds show nothing");
    assert!(results.text().contains("test accuracy, each beside \"short\":"), "{}", results.text());
}

#[test]
fn each_arm_is_compared_with_the_settings_that_are_best_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{}[[variant]]\nname = 'short'\n[[variant]]\nname = 'long'\nepochs = 6\n",
        STUDY.replace("[0.1, 0.01]", "[0.1, 1e-5]").replace("seeds = 2", "seeds = 6")
    );
    let results = run(folder.path(), &text);
    let table = results.table();
    let arms = results.tuned_arms(&table);
    let names: Vec<_> = arms.iter().map(|arm| arm.variant.as_str()).collect();
    assert_eq!(names, ["short, learning_rate=0.1", "long, learning_rate=0.1"]);
    assert!(arms[0].comparison.is_none());
    let means: Vec<f64> = arms.iter().map(|arm| arm.row.metric.as_ref().unwrap().mean).collect();
    let comparison = arms[1].comparison.as_ref().unwrap();
    assert!((comparison.difference - (means[1] - means[0])).abs() < 1e-12);
    // One comparison: nothing to adjust for.
    assert_eq!(comparison.p, comparison.p_step_down);
    assert!(
        results.text().contains("the best of each, by validation loss, beside that of \"short\":")
    );
    assert!(run(folder.path(), STUDY).tuned_arms(&table).is_empty());
}

#[test]
fn the_table_has_the_best_first_and_compares_with_it_or_with_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let text = STUDY.replace("[0.1, 0.01]", "[1e-5, 0.1, 0.01]").replace("seeds = 2", "seeds = 6");
    let table = run(folder.path(), &text).table();
    assert_eq!(table.rows[0].name, "learning_rate=0.1");
    assert_eq!(table.rows[2].name, "learning_rate=1e-5");
    assert_eq!(table.reference, Some(0));
    let worst = table.rows[2].comparison.as_ref().unwrap();
    // All six seeds agree: 2 of the 2⁶ signs are as far from 0.
    assert_eq!((worst.n, worst.p), (6, 0.03125));
    assert!(
        table.answer().starts_with("Best: learning_rate=0.1, validation loss 0."),
        "{}",
        table.answer()
    );
    let baseline = text.replace("seeds = 6", "seeds = 6\nbaseline = 'learning_rate=0.01'");
    let table = run(folder.path(), &baseline).table();
    let reference = &table.rows[table.reference.unwrap()];
    assert_eq!(
        (reference.name.as_str(), reference.comparison.is_none()),
        ("learning_rate=0.01", true)
    );
}

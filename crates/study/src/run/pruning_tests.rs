use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use selvedge_train::{EpochDone, Observer, ObserverError, Stop};

use super::tests::{bits, context, datasets, run, run_with};
use super::watched::Watched;
use super::*;
use crate::TrialRecord;
use crate::search::MedianPruner;
use crate::store::FolderStore;
use crate::trial::Ending;

/// Twelve variants in three generations, with two seeds.
const WHOLE: &str = "[study]\nseeds = 2\nbudget = 12\nsearch = 'random'\nmetric = 'validation.loss'\n\
                     [base]\ndataset = 'halves'\nepochs = 5\nbatch_size = 10\n\
                     model = { name = 'mlp', hidden = 4 }\n\
                     [vary]\nlearning_rate = { min = 1e-4, max = 1, log = true }\n";

/// The same study, with early ends.
fn pruned() -> String {
    WHOLE.replace("[base]", "pruner = { name = 'median', startup = 4 }\n[base]")
}

fn curve(trial: &TrialRecord) -> Vec<f64> {
    trial.epochs.iter().map(|epoch| epoch.validation[0]).collect()
}

/// Where trials end, by variant and seed.
fn ends(results: &StudyResults) -> Vec<Vec<Option<usize>>> {
    let of = |variant: &VariantResults| {
        variant.trials.iter().map(|trial| trial.as_ref().unwrap().pruned_after()).collect()
    };
    results.variants.iter().map(of).collect()
}

/// Where they are to end: the pruner, asked after every epoch but the last with the whole curves of those of
/// earlier generations of four that came to their end.
fn expected_ends(whole: &StudyResults, pruner: MedianPruner) -> Vec<Vec<Option<usize>>> {
    let curves = |at: usize, seed: usize| curve(whole.variants[at].trials[seed].as_ref().unwrap());
    let mut ends: Vec<Vec<Option<usize>>> = Vec::new();
    for at in 0..whole.variants.len() {
        let of_seed = |seed: usize| {
            let earlier = (0..at / 4 * 4).filter(|&other| ends[other][seed].is_none());
            let others: Vec<Vec<f64>> = earlier.map(|other| curves(other, seed)).collect();
            let own = curves(at, seed);
            (1..own.len()).find(|&epochs| pruner.stops(&own[..epochs], &others))
        };
        let of_seeds = (0..2).map(of_seed).collect();
        ends.push(of_seeds);
    }
    ends
}

#[test]
fn trials_end_where_the_curves_of_whole_ones_say() {
    let folders = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let whole = run(folders[0].path(), WHOLE);
    let found = run(folders[1].path(), &pruned());
    let expected = expected_ends(&whole, MedianPruner { startup: 4, warmup: 0 });
    assert_eq!(ends(&found), expected);
    let early = expected.iter().flatten().flatten().count();
    assert!((4..20).contains(&early), "{early} of 24 end early");
    for (whole, found) in whole.trials().zip(found.trials()) {
        let epochs = found.pruned_after().unwrap_or(5);
        assert_eq!(curve(found), curve(whole)[..epochs]);
        // What came to its end is the ordinary record.
        assert_eq!(found.key == whole.key, epochs == 5);
    }
    // Whole records of another study are judged by the same rule.
    let again = run(folders[0].path(), &pruned());
    assert_eq!(bits(&again), bits(&found));
    // And early ends are not taken for whole trials.
    let store = Watched::new(folders[1].path(), usize::MAX);
    assert_eq!(bits(&run_with(store.clone(), WHOLE, &context())), bits(&whole));
    assert_eq!(store.trials(), early);
}

#[test]
fn what_ended_early_does_not_win_and_the_table_says_when_it_ended() {
    let results = run(tempfile::tempdir().unwrap().path(), &pruned());
    let table = results.table();
    let best = table.best().unwrap();
    assert!(best.pruned.is_empty());
    let losers: Vec<&Row> = table.rows.iter().filter(|row| !row.pruned.is_empty()).collect();
    let whole = table.rows.len() - losers.len();
    assert!(table.rows[whole..].iter().all(|row| row.missing() > 0 && !row.pruned.is_empty()));
    assert!(table.text().contains("pruned after epoch"), "{}", table.text());
    let folder = tempfile::tempdir().unwrap();
    results.write(folder.path()).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let early = ends(&results).iter().flatten().flatten().count();
    assert_eq!(read("trials.csv").matches(",pruned after epoch ").count(), early);
    let journal = read("optuna.jsonl");
    let lines = || journal.lines().filter(|line| line.contains("pruned after epoch"));
    assert_eq!(lines().count(), early);
    // 2 is Optuna's PRUNED.
    assert!(lines().all(|line| line.contains("\"state\":2")), "{journal}");
}

#[test]
fn a_search_learns_the_best_epoch_of_what_ended_early() {
    let metric = "validation.accuracy".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let results = run(folder.path(), &pruned());
    let early = results.trials().find(|trial| trial.pruned_after().is_some()).unwrap();
    let whole = results.trials().find(|trial| trial.pruned_after().is_none()).unwrap();
    let mut record = early.clone();
    record.epochs = [0.7, 0.8, f64::NAN, 0.6]
        .map(|accuracy| {
            let mut epoch = early.epochs[0].clone();
            epoch.validation[1] = accuracy;
            epoch
        })
        .into();
    assert_eq!(pruning::known_cost(&record, &metric), Some(-0.8));
    let expected = whole.score(crate::config::Part::Validation, "accuracy").map(|value| -value);
    assert_eq!(pruning::known_cost(whole, &metric), expected);
}

/// Asks for a stop after so many epochs of all trials together.
struct StopAfter(Arc<AtomicUsize>, Stop);

impl Observer for StopAfter {
    fn epoch(&mut self, _: &EpochDone<'_>) -> Result<(), ObserverError> {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.1.request();
        }
        Ok(())
    }
}

#[test]
fn a_study_that_is_killed_in_the_middle_of_trials_ends_them_at_the_same_epochs() {
    let expected = bits(&run(tempfile::tempdir().unwrap().path(), &pruned()));
    let folder = tempfile::tempdir().unwrap();
    let (datasets, study) = (datasets(), pruned().parse().unwrap());
    for round in 0.. {
        assert!(round < 100, "each round does something");
        // Either within a trial, or when its record is to be kept: what then is in the way of it is its last epoch.
        let (epochs, records) = if round % 2 == 0 { (3, usize::MAX) } else { (1000, 1) };
        let stop = Stop::default();
        let observer = StopAfter(Arc::new(AtomicUsize::new(epochs)), stop.clone());
        let context = context().with_stop(stop).with_observer(observer);
        let store = Watched::new(folder.path(), records);
        match Runner::new(store, &datasets, "flex").run(&study, &context) {
            Ok(results) if !context.stop.is_requested() => {
                assert_eq!(bits(&results), expected);
                break;
            }
            Ok(_) => {}
            Err(error) => assert!(matches!(error, StudyError::Store { .. }), "{error}"),
        }
    }
    let running = folder.path().join("running");
    assert_eq!(std::fs::read_dir(running).map_or(0, Iterator::count), 0, "nothing is left over");
}

#[test]
fn processes_and_jobs_end_trials_at_the_same_epochs() {
    let expected = bits(&run(tempfile::tempdir().unwrap().path(), &pruned()));
    let folder = tempfile::tempdir().unwrap();
    let found: Vec<Vec<String>> = std::thread::scope(|scope| {
        let process = || {
            let store = Arc::new(FolderStore::open(folder.path()).unwrap());
            bits(&run_with(store, &pruned(), &context().with_jobs(3)))
        };
        let runs = [scope.spawn(process), scope.spawn(process)];
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(found.iter().all(|found| *found == expected));
}

/// A grid of six learning rates, the good ones first.
fn grid(more: &str) -> String {
    WHOLE
        .replace(
            "budget = 12\nsearch = 'random'",
            &format!("pruner = {{ name = 'median', startup = 2 }}{more}"),
        )
        .replace("{ min = 1e-4, max = 1, log = true }", "[0.1, 0.05, 0.03, 0.02, 0.0001, 0.00001]")
}

fn is_whole(results: &StudyResults, name: &str) -> bool {
    let variant = results.variants.iter().find(|v| v.variant.name == name).unwrap();
    variant.trials.iter().flatten().all(|trial| trial.ending == Ending::Complete {})
}

fn run_grid(folder: &Path, more: &str) -> StudyResults {
    run(folder, &grid(more))
}

#[test]
fn a_grid_ends_early_what_comes_after_its_first_four_but_never_the_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let results = run_grid(folder.path(), "");
    let first = [Some(1), Some(1)];
    assert_eq!(ends(&results)[..4], vec![vec![None; 2]; 4]);
    assert_eq!(ends(&results)[4..], [first, first]);
    let baseline = run_grid(folder.path(), "\nbaseline = 'learning_rate=1e-5'");
    assert!(is_whole(&baseline, "learning_rate=1e-5"));
    assert!(!is_whole(&baseline, "learning_rate=0.0001"));
}

#[test]
fn arms_are_not_measured_by_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{}[[variant]]\nname = 'good'\n[[variant]]\nname = 'bad'\nbatch_size = 60\n",
        grid("").replace("0.0001, 0.00001", "0.01")
    );
    let results = run(folder.path(), &text);
    // One step an epoch is far behind six.
    let first = |at: usize| curve(results.variants[at].trials[0].as_ref().unwrap())[0];
    let most = |places: std::ops::Range<usize>| places.map(first).fold(0.0, f64::max);
    assert!((5..9).all(|at| first(at) > most(0..4)));
    // Of five variants each, the first four of an arm are compared with none.
    let names: Vec<_> = ends(&results).iter().map(|ends| ends == &[None; 2]).collect();
    assert_eq!(names[..4], [true; 4]);
    assert_eq!(names[5..9], [true; 4]);
}

#[cfg(feature = "plot")]
#[test]
fn the_report_says_that_trials_were_ended_early_where_some_were() {
    let words = "ended early where its best epoch was worse than the median of at least 2 earlier trials of the same seed.";
    let said = |rates: &str| {
        let text = grid("").replace("[0.1, 0.05, 0.03, 0.02, 0.0001, 0.00001]", rates);
        let results = run(tempfile::tempdir().unwrap().path(), &text);
        let early = ends(&results).iter().flatten().flatten().count();
        let html = results.report("").to_html();
        (early, html.contains(words), html.contains("of the same seed: none did."))
    };
    assert_eq!(said("[0.1, 0.05, 0.03, 0.02, 0.0001, 0.00001]"), (4, true, false));
    // Each is better than those before it.
    assert_eq!(said("[0.00001, 0.0001, 0.001, 0.01, 0.1]"), (0, false, true));
}

#[test]
fn a_grid_with_early_ends_counts_all_of_its_trials_from_the_first_one_on() {
    const NAME: &str = "a_grid_with_early_ends_counts_all_of_its_trials_from_the_first_one_on";
    const INNER: &str = "SELVEDGE_TEST_PROGRESS";
    if std::env::var_os(INNER).is_some() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(FolderStore::open(folder.path()).unwrap());
        run_with(store, &grid(""), &context().with_progress(Progress::Lines("study".into())));
        return;
    }
    // What it shows goes to standard error: it is read from outside of this same test.
    let mut inner = std::process::Command::new(std::env::current_exe().unwrap());
    let path = format!("run::pruning_tests::{NAME}");
    let output = inner.args([&path, "--exact", "--nocapture"]).env(INNER, "1").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" trials · ")).collect();
    assert_eq!(lines.len(), 12, "{text}");
    assert!(lines.iter().all(|line| line.contains("/12 trials")), "{text}");
}

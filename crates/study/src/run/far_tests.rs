use std::time::{Duration, Instant};

use super::Runner;
use super::tests::{STUDY, bits, context, datasets, run};
use super::watched::Watched;
use crate::StudyConfig;
use crate::store::Store;

fn study() -> StudyConfig {
    STUDY.parse().unwrap()
}

#[test]
fn a_far_store_is_asked_for_a_record_only_where_it_lists_one_or_a_trial_was_claimed() {
    let folders = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let near = run(folders[0].path(), STUDY);
    let (store, datasets) = (Watched::far(folders[1].path()), datasets());
    let runner = Runner::new(store.clone(), &datasets, "flex");
    let far = runner.run(&study(), &context()).unwrap();
    assert_eq!(bits(&far), bits(&near));
    // Of each of the four, once, between claiming and training; a list before each.
    assert_eq!((store.asked("get trials/"), store.asked("list trials/")), (4, 4));
    let again = runner.run(&study(), &context()).unwrap();
    assert_eq!(bits(&again), bits(&near));
    assert_eq!((store.asked("get trials/"), store.asked("list trials/")), (4, 1));
    // What is only read is not asked for where it is not listed.
    let more: StudyConfig = STUDY.replace("0.01", "0.01, 0.001").parse().unwrap();
    assert!(!runner.read(&more, &context()).unwrap().complete());
    assert_eq!(store.asked("get trials/"), 4);
}

#[test]
fn leases_on_a_far_store_are_watched_by_lists_and_taken_over_when_they_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let (store, datasets) = (Watched::far(folder.path()), datasets());
    let runner = Runner::new(store.clone(), &datasets, "flex");
    let runner = runner.with_lease_time(Duration::from_secs(2));
    let keys: Vec<String> =
        runner.run(&study(), &context()).unwrap().trials().map(|trial| trial.key.clone()).collect();
    // Another worker took all of them, and died before it had finished one.
    for key in &keys {
        let record = store.inner.get(&format!("trials/{key}.toml")).unwrap().unwrap();
        assert!(store.inner.remove(&format!("trials/{key}.toml"), &record.version).unwrap());
        let lease = "owner = 'another'\nprocess = 1\nrenewal = 1\n";
        assert!(store.inner.put(&format!("leases/{key}"), lease.as_bytes()).unwrap());
    }
    store.asked("");
    let begin = Instant::now();
    assert!(runner.run(&study(), &context()).unwrap().complete());
    assert!(begin.elapsed() > Duration::from_secs(2));
    // Each when it was taken over, and not while it was waited for.
    assert_eq!(store.asked("get leases/"), 4);
    // Every half second, a quarter of a lease, and before each trial.
    let looks = store.asked("list leases/");
    assert!((4..30).contains(&looks), "{looks}");
}

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::contract;

fn memory() -> BucketStore {
    BucketStore::open("memory:///studies/a").unwrap()
}

#[test]
fn bytes_are_put_once_and_replaced_only_from_the_version_that_was_seen() {
    contract::conditions(&memory());
}

#[test]
fn names_are_listed_by_their_beginning_and_others_are_refused() {
    contract::names(&memory());
}

#[test]
fn a_stamp_is_another_after_the_bytes_were_written_again() {
    contract::stamps(&memory());
}

#[test]
fn of_many_that_put_or_replace_at_once_one_succeeds() {
    contract::races(&memory());
}

#[test]
fn a_request_that_is_sent_again_finds_its_own_bytes_and_has_succeeded() {
    let store = memory();
    assert!(store.put("leases/x", b"mine").unwrap());
    assert!(store.put("leases/x", b"mine").unwrap());
    assert!(!store.put("leases/x", b"yours").unwrap());
}

#[test]
fn checkpoints_go_through_the_bucket_to_another_process() {
    let store = memory();
    let folder = store.scratch("trial").unwrap();
    fs::create_dir_all(folder.join("checkpoints/epoch-1")).unwrap();
    fs::write(folder.join("checkpoints/epoch-1/state.toml"), "epoch = 1").unwrap();
    fs::write(folder.join(".lock"), "").unwrap();
    store.send_scratch("trial").unwrap();
    // What another process has, which knows the bucket alone.
    fs::remove_dir_all(&folder).unwrap();
    store.fetch_scratch("trial").unwrap();
    let state = folder.join("checkpoints/epoch-1/state.toml");
    assert_eq!(fs::read_to_string(&state).unwrap(), "epoch = 1");
    assert!(!folder.join(".lock").exists());
    // A folder that is there is not overwritten.
    fs::write(&state, "epoch = 2").unwrap();
    store.fetch_scratch("trial").unwrap();
    assert_eq!(fs::read_to_string(&state).unwrap(), "epoch = 2");
    store.finish("trial").unwrap();
    store.finish("trial").unwrap();
    store.fetch_scratch("trial").unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_bucket_that_does_not_answer_is_asked_again_until_patience_is_over() {
    let mut store = memory();
    let away = || Error::Generic { store: "test", source: "connection refused".into() };
    let asked = AtomicUsize::new(0);
    let answer = store.tried(SMALL, async || match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Err(away()),
        times => Ok(times),
    });
    assert_eq!(answer.unwrap().unwrap(), 1);
    // One that is in a hurry does not wait, and it does not wait for an answer that does not come, either.
    store.patience = Duration::ZERO;
    let error = store.tried(SMALL, async || Err::<(), _>(away())).unwrap_err().to_string();
    assert!(error.contains("connection refused"), "{error}");
    let never = async || std::future::pending::<Result<(), Error>>().await;
    let error = store.tried(Duration::from_millis(10), never).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    // What ends the program ends the waiting.
    let stopped = BucketStore { patience: Duration::MAX, ..store.clone() }.with_interrupt(|| true);
    stopped.tried(SMALL, async || Err::<(), _>(away())).unwrap_err();
    // What is wrong with the request does not get better.
    store.patience = Duration::MAX;
    for status in ["400 Bad Request", "301 Moved Permanently", "501 Not Implemented"] {
        let text = format!("Server returned non-2xx status code: {status}: ");
        let error = || Error::Generic { store: "test", source: text.clone().into() };
        assert!(!is_passing(&error()), "{status}");
        assert!(store.tried(SMALL, async || Err::<(), _>(error())).unwrap().is_err());
    }
    for status in ["500 Internal Server Error", "503 Slow Down", "429 Too Many Requests"] {
        let text = format!("Server returned non-2xx status code: {status}: ");
        assert!(is_passing(&Error::Generic { store: "test", source: text.into() }), "{status}");
    }
    let forbidden = || Error::PermissionDenied { path: "x".into(), source: "403".into() };
    let error = store.tried(SMALL, async || Err::<(), _>(forbidden())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_finished_trial_leaves_neither_lease_nor_checkpoint() {
    let store = memory();
    store.put("leases/trial", b"mine").unwrap();
    store.put("running/trial.tar", b"bytes").unwrap();
    store.put("trials/trial.toml", b"record").unwrap();
    store.finish("trial").unwrap();
    let all = store.shared.bucket.list_with_delimiter(Some(&store.shared.prefix));
    let all = store.shared.runtime.block_on(all).unwrap();
    let left = |folder: &str| store.shared.prefix.clone().join(folder);
    assert_eq!(all.common_prefixes, [left("trials")]);
}

#[test]
fn nothing_is_put_as_no_bytes() {
    let store = memory();
    assert_eq!(store.put("a/x", b"").unwrap_err().kind(), ErrorKind::InvalidInput);
    store.put("a/x", b"1").unwrap();
    let error = store.replace("a/x", &Version::of(b"1"), b"").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn damaged_checkpoints_are_none() {
    let store = memory();
    store.put("running/trial.tar", &[7; 1000]).unwrap();
    store.fetch_scratch("trial").unwrap();
    assert!(!store.scratch("trial").unwrap().exists());
}

#[test]
fn addresses_that_are_no_buckets_are_refused_on_one_line() {
    for (address, reason) in [
        ("ftp://bucket/x", "its scheme is unknown"),
        ("s3:", "its scheme is unknown"),
        ("https://example.com/bucket", "its scheme is unknown"),
        ("bucket", "relative URL without a base"),
    ] {
        let error = BucketStore::open(address).unwrap_err().to_string();
        assert!(error.contains(&format!("is no bucket: {reason} (s3://")), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = BucketStore::open("s3://key:secret@bucket/x").unwrap_err().to_string();
    assert!(error.contains("belong into the environment") && !error.contains("secret"), "{error}");
}

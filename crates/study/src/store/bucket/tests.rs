use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::store::FolderStore;

fn memory() -> BucketStore {
    BucketStore::open("memory:///studies/a").unwrap()
}

/// A folder and a bucket, which have to behave the same.
fn stores() -> (tempfile::TempDir, [Box<dyn Store>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let local = FolderStore::open(folder.path().join("store")).unwrap();
    (folder, [Box::new(local), Box::new(memory())])
}

#[test]
fn a_bucket_and_a_folder_put_replace_and_remove_on_the_same_conditions() {
    let (_folder, stores) = stores();
    for store in stores {
        assert!(store.get("a/x").unwrap().is_none());
        assert!(store.put("a/x", b"1").unwrap());
        assert!(!store.put("a/x", b"2").unwrap());
        let seen = store.get("a/x").unwrap().unwrap();
        assert_eq!((&*seen.bytes, &seen.version), (&b"1"[..], &Version::of(b"1")));
        assert!(store.replace("a/x", &seen.version, b"3").unwrap());
        assert!(!store.replace("a/x", &seen.version, b"4").unwrap());
        assert!(!store.remove("a/x", &seen.version).unwrap());
        assert!(store.remove("a/x", &Version::of(b"3")).unwrap());
        assert!(store.get("a/x").unwrap().is_none());
        assert!(!store.replace("a/x", &Version::of(b"3"), b"5").unwrap());
        assert!(!store.remove("a/x", &Version::of(b"3")).unwrap());
        // What was removed leaves room.
        assert!(store.put("a/x", b"6").unwrap());
        assert_eq!(store.get("a/x").unwrap().unwrap().bytes, b"6");
    }
}

#[test]
fn a_bucket_and_a_folder_list_the_same_names_and_refuse_the_same() {
    let (_folder, stores) = stores();
    for store in stores {
        for name in ["t/b", "t/a", "t/gone", "u/a", "top"] {
            store.put(name, b"1").unwrap();
        }
        store.remove("t/gone", &Version::of(b"1")).unwrap();
        assert_eq!(store.list("t/").unwrap(), ["t/a", "t/b"]);
        assert_eq!(store.list("t/b").unwrap(), ["t/b"]);
        assert_eq!(store.list("").unwrap(), ["top"]);
        let names: Vec<String> =
            (0..40).map(|i| ["t/a", "t/gone", "t/never"][i % 3].to_owned()).collect();
        let many = store.get_many(&names).unwrap();
        let one_by_one: Vec<_> = names.iter().map(|name| store.get(name).unwrap()).collect();
        assert_eq!((many.len(), many.iter().flatten().count()), (40, 14));
        assert_eq!(many, one_by_one);
        assert!(store.list("nothing/").unwrap().is_empty());
        for name in ["../x", "/x", "a//b", "a/../b", ".lock", "", "a b", "ü"] {
            assert!(store.put(name, b"1").is_err(), "{name}");
        }
    }
}

#[test]
fn a_stamp_is_another_after_the_bytes_were_written_again() {
    let (_folder, stores) = stores();
    for store in stores {
        store.put("t/a", b"1").unwrap();
        store.put("t/b", b"1").unwrap();
        let before = store.list_stamped("t/").unwrap();
        assert_eq!(store.list_stamped("t/").unwrap(), before);
        store.replace("t/a", &Version::of(b"1"), b"2").unwrap();
        let after = store.list_stamped("t/").unwrap();
        assert_ne!(after[0], before[0]);
        assert_eq!(after[1], before[1]);
        assert_eq!((&*after[0].0, &*after[1].0), ("t/a", "t/b"));
    }
}

#[test]
fn of_many_that_put_or_replace_in_a_bucket_at_once_one_succeeds() {
    let store = memory();
    for round in 0..20 {
        let (put, replaced) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let name = format!("n/{round}");
        std::thread::scope(|scope| {
            for i in 0..8_u8 {
                let (store, put, name) = (&store, &put, &name);
                scope.spawn(move || {
                    put.fetch_add(usize::from(store.put(name, &[i]).unwrap()), Ordering::SeqCst);
                });
            }
        });
        let seen = store.get(&name).unwrap().unwrap();
        std::thread::scope(|scope| {
            for i in 10..18_u8 {
                let (store, replaced, name, seen) = (&store, &replaced, &name, &seen);
                scope.spawn(move || {
                    let done = store.replace(name, &seen.version, &[i]).unwrap();
                    replaced.fetch_add(usize::from(done), Ordering::SeqCst);
                });
            }
        });
        assert_eq!((put.into_inner(), replaced.into_inner()), (1, 1));
    }
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

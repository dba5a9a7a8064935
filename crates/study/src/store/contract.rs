//! What every store has to keep to, whatever it is over.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Store, Version};

/// Bytes are put once, and replaced and removed only from the version that was seen.
pub(super) fn conditions(store: &dyn Store) {
    assert!(store.get("a/x").unwrap().is_none());
    assert!(store.put("a/x", b"1").unwrap());
    assert!(!store.put("a/x", b"2").unwrap());
    let seen = store.get("a/x").unwrap().unwrap();
    assert_eq!((&*seen.bytes, &seen.version), (&b"1"[..], &Version::of(b"1")));
    assert!(store.replace("a/x", &seen.version, b"3").unwrap());
    assert!(!store.replace("a/x", &seen.version, b"4").unwrap());
    assert!(!store.remove("a/x", &seen.version).unwrap());
    assert_eq!(store.get("a/x").unwrap().unwrap().bytes, b"3");
    assert!(store.remove("a/x", &Version::of(b"3")).unwrap());
    assert!(store.get("a/x").unwrap().is_none());
    assert!(!store.replace("a/x", &Version::of(b"3"), b"5").unwrap());
    assert!(!store.remove("a/x", &Version::of(b"3")).unwrap());
    // What was removed leaves room.
    assert!(store.put("a/x", b"6").unwrap());
    assert_eq!(store.get("a/x").unwrap().unwrap().bytes, b"6");
}

/// Names are listed by their beginning, read together as one by one, and refused where they lead elsewhere.
pub(super) fn names(store: &dyn Store) {
    for name in ["t/b", "t/a", "t/gone", "u/a", "top"] {
        store.put(name, b"1").unwrap();
    }
    store.remove("t/gone", &Version::of(b"1")).unwrap();
    assert_eq!(store.list("t/").unwrap(), ["t/a", "t/b"]);
    assert_eq!(store.list("t/b").unwrap(), ["t/b"]);
    assert_eq!(store.list("").unwrap(), ["top"]);
    assert!(store.list("nothing/").unwrap().is_empty());
    let names: Vec<String> =
        (0..40).map(|i| ["t/a", "t/gone", "t/never"][i % 3].to_owned()).collect();
    let many = store.get_many(&names).unwrap();
    let one_by_one: Vec<_> = names.iter().map(|name| store.get(name).unwrap()).collect();
    assert_eq!((many.len(), many.iter().flatten().count()), (40, 14));
    assert_eq!(many, one_by_one);
    for name in ["../x", "/x", "a//b", "a/../b", ".lock", "", "a b", "ü"] {
        assert!(store.put(name, b"1").is_err(), "{name}");
    }
}

/// A stamp is another after the bytes were written again, and the same otherwise.
pub(super) fn stamps(store: &dyn Store) {
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

/// Of many that put or replace at once one succeeds.
pub(super) fn races(store: &dyn Store) {
    let successes = |write: &(dyn Fn(u8) -> bool + Sync)| {
        let successes = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for i in 0..8_u8 {
                let successes = &successes;
                scope.spawn(move || successes.fetch_add(usize::from(write(i)), Ordering::SeqCst));
            }
        });
        successes.into_inner()
    };
    for round in 0..20 {
        let name = format!("n/{round}");
        assert_eq!(successes(&|i| store.put(&name, &[i]).unwrap()), 1);
        let seen = store.get(&name).unwrap().unwrap();
        assert_eq!(successes(&|i| store.replace(&name, &seen.version, &[10 + i]).unwrap()), 1);
    }
}

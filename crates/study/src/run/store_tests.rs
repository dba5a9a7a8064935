use std::io;
use std::sync::Arc;

use super::Runner;
use super::tests::{STUDY, bits, context, datasets, run, run_with};
use crate::store::{FolderStore, Store, Stored, Version};

#[test]
fn the_table_of_a_finished_study_is_read_without_writing_anything() {
    /// Nothing can be written to it.
    struct ReadOnly(FolderStore);

    fn forbidden<T>() -> io::Result<T> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    impl Store for ReadOnly {
        fn put(&self, _: &str, _: &[u8]) -> io::Result<bool> {
            forbidden()
        }

        fn get(&self, name: &str) -> io::Result<Option<Stored>> {
            self.0.get(name)
        }

        fn replace(&self, _: &str, _: &Version, _: &[u8]) -> io::Result<bool> {
            forbidden()
        }

        fn remove(&self, _: &str, _: &Version) -> io::Result<bool> {
            forbidden()
        }

        fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
            self.0.list(prefix)
        }

        fn show_life(&self, _: &str) -> io::Result<Option<Box<dyn std::any::Any + Send + Sync>>> {
            forbidden()
        }

        fn display(&self) -> String {
            "store".into()
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), STUDY);
    let store = Arc::new(ReadOnly(FolderStore::open(folder.path()).unwrap()));
    assert_eq!(bits(&run_with(store.clone(), STUDY, &context())), bits(&first));
    // What is not finished cannot be kept: this is known before it is trained.
    let (datasets, study) = (datasets(), STUDY.replace("0.01", "0.001").parse().unwrap());
    let error = Runner::new(store, &datasets, "flex").run(&study, &context()).unwrap_err();
    assert!(error.to_string().starts_with("store: "), "{error}");
}

#[test]
fn a_refused_study_leaves_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deep").join("store");
    let store = Arc::new(FolderStore::open(&place).unwrap());
    let (datasets, study) = (datasets(), STUDY.replace("halves", "quarters").parse().unwrap());
    Runner::new(store, &datasets, "flex").run(&study, &context()).unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

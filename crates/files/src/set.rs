//! Files that take their places together.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind::NotFound};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::OutputError;
use crate::replace::{sync_file, sync_folder};
use crate::scratch::{Moving, Scratch};

/// The new files, in a scratch folder.
pub(crate) const NEW: &str = "new";
/// The files that were there before.
const OLD: &str = "old";
/// Says that the set is decided for, and what is in it: from then on it is completed, by whomever.
const DECIDED: &str = "decided.json";
/// The same file, once the set is to be undone.
const REVOKED: &str = "revoked.json";

/// What is to be done; each step may be done twice.
#[derive(Debug, Serialize, Deserialize)]
struct Plan {
    /// The names of new files.
    put: BTreeSet<String>,
    /// The names of files that are removed.
    remove: BTreeSet<String>,
    /// Those of both that were there before.
    there: BTreeSet<String>,
}

/// Moves the files of those names from `NEW` of the scratch folder to `folder`; those that are not there
/// are removed from it. Either all of it happens or nothing does.
pub(crate) fn replace(
    mut scratch: Scratch,
    folder: &Path,
    names: &[&str],
) -> Result<(), OutputError> {
    let failed = |path: PathBuf| move |error| OutputError { path, error };
    let whole = |error| failed(folder.to_path_buf())(error);
    let moving = Moving::lock(folder).map_err(whole)?;
    // A set that was decided for earlier comes first.
    moving.clean();
    let place = scratch.path().to_path_buf();
    let mut plan = Plan { put: BTreeSet::new(), remove: BTreeSet::new(), there: BTreeSet::new() };
    fs::create_dir(place.join(OLD)).map_err(whole)?;
    for &name in names {
        let (path, new) = (folder.join(name), place.join(NEW).join(name));
        if is_there(&new) {
            sync_file(&new).map_err(failed(path.clone()))?;
            plan.put.insert(name.into());
        } else {
            plan.remove.insert(name.into());
        }
        if is_there(&path) {
            keep(&path, &place.join(OLD).join(name)).map_err(failed(path))?;
            plan.there.insert(name.into());
        }
    }
    if let Err(error) = decide(&place, &plan) {
        // It is not to be completed while it is being removed.
        scratch.kept = remove(&place.join(DECIDED)).is_err();
        return Err(whole(error));
    }
    let moved = names
        .iter()
        .try_for_each(|name| plan.forward(name, &place, folder).map_err(failed(folder.join(name))));
    if let Err(error) = moved.and_then(|()| sync_folder(folder).map_err(whole)) {
        let undone = fs::rename(place.join(DECIDED), place.join(REVOKED))
            .and_then(|()| complete(&place, folder));
        // Else the next process that can completes it.
        scratch.kept = undone.is_err();
        return Err(error);
    }
    scratch.kept = remove(&place.join(DECIDED)).is_err();
    Ok(())
}

/// From here on, the files take their places even if this process is killed.
fn decide(place: &Path, plan: &Plan) -> io::Result<()> {
    let unnamed = place.join("plan");
    fs::write(&unnamed, serde_json::to_string(plan)?)?;
    sync_file(&unnamed)?;
    sync_folder(&place.join(NEW))?;
    sync_folder(&place.join(OLD))?;
    fs::rename(unnamed, place.join(DECIDED))?;
    sync_folder(place)
}

/// Does what is left to do of a set in the scratch folder `place`, which nobody else is working on. If
/// none was decided for, that is nothing.
pub(crate) fn complete(place: &Path, folder: &Path) -> io::Result<()> {
    let read = |name| -> io::Result<Option<Plan>> {
        match fs::read(place.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == NotFound => Ok(None),
            Err(error) => Err(error),
        }
    };
    if let Some(plan) = read(REVOKED)? {
        for name in plan.put.union(&plan.remove) {
            plan.back(name, place, folder)?;
        }
        sync_folder(folder)?;
        fs::remove_file(place.join(REVOKED))?;
    } else if let Some(plan) = read(DECIDED)? {
        for name in plan.put.union(&plan.remove) {
            plan.forward(name, place, folder)?;
        }
        sync_folder(folder)?;
        fs::remove_file(place.join(DECIDED))?;
    }
    Ok(())
}

impl Plan {
    /// Brings one file to its new state.
    fn forward(&self, name: &str, place: &Path, folder: &Path) -> io::Result<()> {
        match self.put.contains(name) {
            true => move_file(&place.join(NEW).join(name), &folder.join(name)),
            false => remove(&folder.join(name)),
        }
    }

    /// Brings one file to its old state.
    fn back(&self, name: &str, place: &Path, folder: &Path) -> io::Result<()> {
        match self.there.contains(name) {
            true => move_file(&place.join(OLD).join(name), &folder.join(name)),
            // Still in `NEW`: then what is in its place, if anything, is not ours.
            false if is_there(&place.join(NEW).join(name)) => Ok(()),
            false => remove(&folder.join(name)),
        }
    }
}

/// A file that was moved already is where it belongs.
fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(_) if !is_there(from) => Ok(()),
        other => other,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == NotFound => Ok(()),
        other => other,
    }
}

/// Keeps a file under a second name; where files have one name only, as a copy.
fn keep(path: &Path, kept: &Path) -> io::Result<()> {
    fs::hard_link(path, kept).or_else(|_| fs::copy(path, kept).map(drop))
}

/// Whether there is something of that name, be it a link that leads nowhere.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Output, clean};

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// `a` and `b` are replaced, `c` is removed, `d` is new.
    fn old(folder: &Path) {
        for name in &NAMES[..3] {
            fs::write(folder.join(name), "old").unwrap();
        }
    }

    fn content(folder: &Path) -> Vec<String> {
        let read = |name| fs::read_to_string(folder.join(name)).unwrap_or("none".into());
        NAMES.iter().map(read).collect()
    }

    /// What a process leaves that is killed with the set decided for and this many of its files moved.
    fn killed_after(folder: &Path, moved: usize, revoked: bool) {
        let place = folder.join(".selvedge-4194305-0");
        for part in [NEW, OLD] {
            fs::create_dir_all(place.join(part)).unwrap();
        }
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let plan = Plan {
            put: names(&["a", "b", "d"]),
            remove: names(&["c"]),
            there: names(&["a", "b", "c"]),
        };
        for name in &plan.put {
            fs::write(place.join(NEW).join(name), "new").unwrap();
        }
        for name in &plan.there {
            keep(&folder.join(name), &place.join(OLD).join(name)).unwrap();
        }
        decide(&place, &plan).unwrap();
        for name in &NAMES[..moved] {
            plan.forward(name, &place, folder).unwrap();
        }
        if revoked {
            fs::rename(place.join(DECIDED), place.join(REVOKED)).unwrap();
        }
    }

    #[test]
    fn a_set_that_was_decided_for_is_completed_from_wherever_it_was() {
        for moved in 0..=NAMES.len() {
            let folder = tempfile::tempdir().unwrap();
            old(folder.path());
            killed_after(folder.path(), moved, false);
            clean(folder.path());
            assert_eq!(content(folder.path()), ["new", "new", "none", "new"], "{moved} moved");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "something else is left");
        }
    }

    #[test]
    fn a_set_that_was_revoked_is_undone_from_wherever_it_was() {
        for moved in 0..=NAMES.len() {
            let folder = tempfile::tempdir().unwrap();
            old(folder.path());
            killed_after(folder.path(), moved, true);
            Output::new(folder.path()).unwrap();
            assert_eq!(content(folder.path()), ["old", "old", "old", "none"], "{moved} moved");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "something else is left");
        }
    }

    #[test]
    fn a_set_is_completed_before_a_newer_file_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        old(folder.path());
        killed_after(folder.path(), 1, false);
        crate::write(folder.path().join("b"), "newer").unwrap();
        clean(folder.path());
        assert_eq!(content(folder.path()), ["new", "newer", "none", "new"]);
    }

    #[test]
    fn a_failure_in_between_brings_the_old_files_back() {
        let folder = tempfile::tempdir().unwrap();
        old(folder.path());
        let output = Output::new(folder.path()).unwrap();
        // In the way of the last file, but not yet when the names are looked at.
        let in_the_way = folder.path().join("d");
        let result = output.replace(&NAMES, |staged| {
            fs::create_dir(&in_the_way).unwrap();
            ["a", "b", "d"].iter().try_for_each(|name| staged.write(name, "new"))
        });
        let error: OutputError = result.unwrap_err();
        assert_eq!(error.path, in_the_way);
        assert_eq!(content(folder.path()), ["old", "old", "old", "none"]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4, "something else is left");
    }

    #[test]
    fn two_that_replace_at_once_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let replace = |text: &str| {
            let output = Output::new(folder.path()).unwrap();
            for _ in 0..20 {
                let all = |staged: &Output| -> Result<(), OutputError> {
                    NAMES.iter().try_for_each(|name| staged.write(name, text))
                };
                output.replace(&NAMES, all).unwrap();
            }
        };
        std::thread::scope(|scope| {
            for text in ["one", "two", "three"] {
                scope.spawn(move || replace(text));
            }
        });
        let found = content(folder.path());
        assert!(found.iter().all(|text| *text == found[0]), "{found:?}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4, "something else is left");
    }
}

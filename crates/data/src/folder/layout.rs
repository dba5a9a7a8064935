//! A folder for each class, in folders for the parts or without.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::{Listing, count};
use super::{Entry, Found, ImageFiles, Part};
use crate::{DataError, DataErrorKind, ImageReader};

/// The images of a folder in either form.
pub(super) fn find(root: &Path) -> Result<Found, DataError> {
    if !root.is_dir() {
        let is = if root.exists() { "neither a folder nor a table in .csv" } else { "not there" };
        let message = format!("folder of images {}: {is}", root.display());
        return Err(DataError::new(DataErrorKind::NotFound, message));
    }
    let mut notes = Vec::new();
    let mut left_out = ImageFiles::default();
    let parts = parts(root, &mut notes)?;
    // Their classes, before labels can be given.
    let mut names = BTreeSet::new();
    let mut found: [Option<Vec<(String, ImageFiles)>>; 3] = [const { None }; 3];
    for (part, folder) in parts {
        let classes = classes(&folder, &mut notes)?;
        names.extend(classes.iter().map(|(name, _)| name.clone()));
        found[part as usize] = Some(classes);
    }
    let classes: Vec<String> = names.into_iter().collect();
    if classes.is_empty() {
        return Err(DataError::in_file(
            root,
            "expected a folder of images for each class, found none",
        ));
    }
    let parts = found.map(|found| {
        found.map(|found| {
            let mut entries = Vec::new();
            for (name, files) in found {
                left_out.add_left_out(&files);
                // All names are among the classes; the number of those is checked by the caller.
                let label = classes.binary_search(&name).unwrap_or_default() as u16;
                let inside = |path: PathBuf| match path.strip_prefix(root) {
                    Ok(inside) => inside.to_owned(),
                    Err(_) => path,
                };
                entries.extend(files.paths.into_iter().map(|p| Entry {
                    path: inside(p),
                    label,
                    line: 0,
                }));
            }
            entries
        })
    });
    notes.extend(left_out.notes());
    Ok(Found { root: root.to_owned(), classes, parts, notes })
}

/// The folders of the parts: the folder itself, where it is not divided.
fn parts(root: &Path, notes: &mut Vec<String>) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let Listing { folders, .. } = Listing::of(root)?;
    let mut parts: Vec<(Part, PathBuf)> = Vec::new();
    let mut others = Vec::new();
    for folder in folders {
        match Part::named(&name(&folder)) {
            Some(part) => match parts.iter().find(|(other, _)| *other == part) {
                Some((_, other)) => {
                    let reason = format!(
                        "both `{}` and `{}`: which one is meant?",
                        name(other),
                        name(&folder)
                    );
                    return Err(DataError::in_file(root, reason));
                }
                None => parts.push((part, folder)),
            },
            None => others.push(folder),
        }
    }
    let has_train = parts.iter().any(|(part, _)| *part == Part::Train);
    if !has_train {
        // Classes may be called anything, but not all of them so.
        return match (&parts[..], &others[..]) {
            ([(_, found), ..], []) => {
                let reason = format!("a folder `{}`, but none called `train`", name(found));
                Err(DataError::in_file(root, reason))
            }
            _ => Ok(vec![(Part::Train, root.to_owned())]),
        };
    }
    for folder in &others {
        notes.push(format!(
            "folder `{}` beside `train` left out",
            crate::error::shown(&name(folder))
        ));
    }
    parts.sort_by_key(|(part, _)| *part as usize);
    Ok(parts)
}

/// The classes of a part and their files.
fn classes(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<(String, ImageFiles)>, DataError> {
    let Listing { files, folders, .. } = Listing::of(folder)?;
    let beside = files.iter().filter(|file| ImageReader::takes(file)).count();
    if beside > 0 {
        let beside = count(beside, "image", "images");
        notes.push(format!("{beside} in {} itself, in no class, left out", folder.display()));
    }
    let mut classes = Vec::with_capacity(folders.len());
    for folder in folders {
        let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
            return Err(DataError::in_file(&folder, "the name of a class must be UTF-8"));
        };
        classes.push((name.to_owned(), ImageFiles::of(&folder)?));
    }
    Ok(classes)
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

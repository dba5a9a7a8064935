//! What older event files of a folder show.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use prost::Message;

use super::proto::{self, Event};
use super::record::records;
use super::writer::files;

/// The tag of the number of an epoch.
pub(super) const EPOCH: &str = "epoch";

/// The epochs whose points the files in `folder` show, or `None` if there are no files: those that a run wrote
/// again from a checkpoint on count once. A file that cannot be read shows nothing.
pub(super) fn epochs(folder: &Path) -> Option<Vec<usize>> {
    let files = files(folder).ok().filter(|files| !files.is_empty())?;
    let mut shown = BTreeMap::new();
    for file in files.into_iter().filter_map(|path| File::open(path).ok()) {
        for data in records(BufReader::new(file)) {
            // A file of somebody else's may hold what is no event.
            let Ok(Event { step, summary, session_log, .. }) = Event::decode(&data[..]) else {
                continue;
            };
            if session_log.is_some_and(|log| log.status == proto::START) {
                drop(shown.split_off(&step));
            }
            let values = summary.map(|summary| summary.value).unwrap_or_default();
            let epoch = values.iter().find(|value| value.tag == EPOCH);
            if let Some(epoch) = epoch.and_then(|value| value.simple_value) {
                shown.insert(step, epoch as usize);
            }
        }
    }
    Some(shown.into_values().collect())
}

//! What is finished of the studies that blocks name.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use selvedge_data::DataErrorKind;
use selvedge_train::Context;

use super::Block;
use crate::store::FolderStore;
use crate::trial::are_here;
use crate::{Datasets, Runner, StudyConfig, StudyError, StudyResults, TrialConfig};

/// What is finished of studies, each read once.
pub(super) struct Records<'a> {
    /// The folder of the study files.
    studies: PathBuf,
    store: Arc<FolderStore>,
    datasets: &'a Datasets,
    devices: &'a [String],
    context: &'a Context,
    known: BTreeMap<String, StudyResults>,
}

impl<'a> Records<'a> {
    pub fn new(
        studies: PathBuf,
        store: FolderStore,
        datasets: &'a Datasets,
        devices: &'a [String],
        context: &'a Context,
    ) -> Self {
        let (store, known) = (Arc::new(store), BTreeMap::new());
        Self { studies, store, datasets, devices, context, known }
    }

    /// What is finished of a block's study; `None` if its images, or the weights of a file that it
    /// begins with, are not on this machine, without which nobody knows which records are of these.
    pub fn of(&mut self, block: &Block) -> Result<Option<&StudyResults>, Box<dyn Error>> {
        let key = format!("{:?}", (&block.study, &block.changes, &block.device));
        if !self.known.contains_key(&key) {
            if !self.devices.contains(&block.device) {
                let (name, known) = (block.device.escape_debug(), self.devices.join(", "));
                return Err(format!("the device `{name}` is unknown: there are {known}").into());
            }
            let file = self.studies.join(&block.study);
            let study = StudyConfig::read(file)?.overridden(&block.changes)?;
            for variant in study.variants()? {
                if !self.can_be_known(&variant.trial)? {
                    return Ok(None);
                }
            }
            let runner = Runner::new(self.store.clone(), self.datasets, &block.device);
            self.known.insert(key.clone(), runner.read(&study, self.context)?);
        }
        Ok(Some(&self.known[&key]))
    }

    /// Whether the images of a trial are here, and the images or the weights of what is trained before it.
    fn can_be_known(&self, trial: &TrialConfig) -> Result<bool, StudyError> {
        match self.datasets.load(&trial.dataset) {
            Err(error) if error.kind() == DataErrorKind::NotFound => return Ok(false),
            loaded => drop(loaded?),
        }
        match &trial.pretrain {
            None => Ok(true),
            Some(before) => match &before.weights {
                Some(path) => Ok(are_here(path, self.datasets)?),
                None => self.can_be_known(&before.trial),
            },
        }
    }
}

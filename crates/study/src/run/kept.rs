//! The models that a study left in its store.

use std::sync::Arc;

use burn::tensor::Device;
use selvedge_models::Network;

use super::work::weights_name;
use crate::config::printable;
use crate::store::Store;
use crate::trial::Plan;

/// Where the models of a study's trials are, if they were kept.
pub(super) struct Kept {
    store: Arc<dyn Store>,
    device: Device,
    /// By variant, the trials in the order of the seeds.
    plans: Vec<Vec<Plan>>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("store", &self.store.display()).finish_non_exhaustive()
    }
}

impl Kept {
    pub fn new(store: Arc<dyn Store>, device: Device, plans: Vec<Vec<Plan>>) -> Self {
        Self { store, device, plans }
    }

    /// The device that models are put on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The trials of a variant.
    pub fn plans(&self, variant: usize) -> &[Plan] {
        self.plans.get(variant).map_or(&[], Vec::as_slice)
    }

    /// The model of a trial as it is used, with the running statistics of its normalizations; `None` if it was not
    /// kept.
    ///
    /// # Errors
    ///
    /// "is damaged: …" or "cannot be read: …", on one line.
    pub fn model(&self, plan: &Plan) -> Result<Option<Network>, String> {
        let unread = |error: String| format!("cannot be read: {}", printable(&error));
        let stored = self.store.get(&weights_name(&plan.key)).map_err(|e| unread(e.to_string()))?;
        let Some(stored) = stored else { return Ok(None) };
        let network = plan.network.init(plan.config.initialization, 0, &self.device);
        let network = network.map_err(|e| unread(e.to_string()))?.load_bytes(&stored.bytes);
        // Where the bytes were is nothing to a reader of the page.
        let damaged = |error: String| {
            let reason = error.strip_prefix("bytes in memory: ").unwrap_or(&error);
            format!("is damaged: {}", printable(reason))
        };
        network.map(|n| Some(burn::module::Module::valid(&n))).map_err(|e| damaged(e.to_string()))
    }
}

use std::path::Path;

use selvedge_data::Split;
use selvedge_models::{Architecture, Bundle, Initialization, Keep};
use selvedge_train::Context;

use super::TransferConfig;
use super::identity;
use super::ledger::Ledger;
use super::outcome::TransferOutcome;
use super::store::Store;
use crate::{StudyError, jobs};

/// A comparison of learning a target task from random weights and from those of a source task.
#[derive(Clone, Debug)]
pub struct TransferStudy {
    /// Name of the source task.
    pub source_name: String,
    /// The task that is learned first.
    pub source: Split,
    /// Name of the target task.
    pub target_name: String,
    /// The task that is learned then.
    pub target: Split,
    /// The network for the source's classes.
    pub source_network: Architecture,
    /// The network for the target's classes; it differs in its last layer alone.
    pub target_network: Architecture,
    /// The settings.
    pub config: TransferConfig,
}

impl TransferStudy {
    /// Runs the study, and keeps everything in memory.
    ///
    /// When [`Context::stop`] is raised, the runs that are complete are the result. A run on the
    /// target task that diverges is reported as such and leaves no point.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`](selvedge_train::TrainError::Setting) for a setting out of range before
    /// anything is trained; [`StudyError::Threads`] if the threads for [`Context::jobs`] cannot be had;
    /// [`TrainError::Diverged`](selvedge_train::TrainError::Diverged) if a pre-training diverges.
    pub fn run(&self, device_name: &str, context: &Context) -> Result<TransferOutcome, StudyError> {
        self.check(context)?;
        self.conduct(Ledger::open(self, device_name, context, None), context)
    }

    /// As [`run`](Self::run), and keeps every trial in `folder` as soon as it is finished: what happens
    /// afterwards, a crash of the machine included, costs at most the trials that are under way. Called
    /// again with the same study and the same folder, it goes on with what is not finished; what it ends
    /// with is the same to the bit, but for seconds. A trial that is damaged on the disk is named
    /// ([`TransferOutcome::damaged`]) and done again.
    ///
    /// `results.json` and `curve.csv` are brought up to date as the study goes on; for the rest see
    /// [`TransferOutcome::finish`]. If something cannot be written meanwhile, the study goes on all the
    /// same, so that its figures are there at the end.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); [`StudyError::Output`] if the folder cannot be written to or belongs to
    /// another process; [`StudyError::OtherStudy`] with the settings that differ if it holds another study.
    pub fn run_in(
        &self,
        folder: impl AsRef<Path>,
        device_name: &str,
        context: &Context,
    ) -> Result<TransferOutcome, StudyError> {
        self.check(context)?;
        let store = Store::open(folder.as_ref(), &identity::of(self, device_name), context)?;
        self.conduct(Ledger::open(self, device_name, context, Some(store)), context)
    }

    /// Everything that can be known to be wrong before anything is trained.
    fn check(&self, context: &Context) -> Result<(), StudyError> {
        self.config.check()?;
        self.source.test()?;
        self.target.test()?;
        self.check_networks(context)?;
        Ok(jobs::check(context, self.config.runs().len())?)
    }

    /// Refuses networks of which more than the last layer cannot be carried over.
    fn check_networks(&self, context: &Context) -> Result<(), StudyError> {
        let [source, target] = [&self.source_network, &self.target_network]
            .map(|network| network.init(Initialization::PyTorch, 0, &context.device));
        let report = target?.transfer_from(&source?, &Keep::AllButHead)?.1;
        match report.unfit.is_empty() {
            true => Ok(()),
            false => Err(StudyError::Networks { unfit: report.unfit }),
        }
    }

    /// Does what is not finished: the pre-trainings, then the runs on the target task.
    fn conduct(
        &self,
        ledger: Ledger<'_>,
        context: &Context,
    ) -> Result<TransferOutcome, StudyError> {
        let normalization = self.config.normalization.normalization(&self.source.train);
        let seeds = &self.config.seeds;
        let pretrained = jobs::map(context, seeds, |index, &seed| {
            if let Some(model) = ledger.pretrained(index) {
                return Ok(Some((seed, model)));
            }
            let trained =
                self.pretrain(seed, &normalization, &ledger.pretraining_context(index))?;
            Ok(trained.map(|(pretraining, model)| {
                ledger.add_pretraining(index, pretraining, &model);
                (seed, model)
            }))
        })?;
        let pretrained: Vec<(u64, Bundle)> = pretrained.into_iter().flatten().collect();
        let of_seed = |seed| pretrained.iter().find(|(of, _)| *of == seed).map(|(_, model)| model);
        let models = jobs::map(context, ledger.runs(), |index, run| {
            if let Some(model) = ledger.finished(index) {
                return Ok(model.map(|model| (index, model)));
            }
            // All are there, unless the study was stopped.
            let Some(source) = of_seed(run.seed) else { return Ok(None) };
            let context = ledger.run_context(index);
            let learned = self.learn(run, source.network(), &normalization, &context)?;
            let Some((end, model)) = learned else { return Ok(None) };
            let model = model.filter(|_| ledger.keeps_model(run));
            ledger.add_run(index, end, model.as_ref());
            Ok(model.map(|model| (index, model)))
        })?;
        let first = of_seed(seeds[0]).cloned();
        Ok(ledger.close(first, models.into_iter().flatten().collect()))
    }
}

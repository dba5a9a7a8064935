//! What is measured, batch by batch, without making the device wait.

use burn::tensor::Tensor;

use crate::metrics::Totals;
use crate::task::Task;

/// As many steps may wait to be read from the device.
const MOST_PENDING: usize = 32;

/// As many output values may wait: 16 MB.
const MOST_VALUES: usize = 4 << 20;

/// Losses and outputs of the steps, read from the device together when something is shown.
pub(crate) struct Meter<'a, T> {
    task: &'a T,
    pending: Vec<Pending>,
    values: usize,
    /// What was read so far.
    pub totals: Totals,
    /// The batches that were read.
    batches: usize,
}

struct Pending {
    loss: Tensor<1>,
    outputs: Tensor<2>,
    /// What the batch counts for in the mean loss.
    weight: f64,
    labels: Vec<u16>,
}

/// A loss that means that the run has come to nothing, such as NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hopeless {
    /// The batch, counted from 1.
    pub batch: usize,
    pub loss: f64,
}

impl<'a, T: Task> Meter<'a, T> {
    /// A meter that goes on from what was measured in as many batches of the epoch.
    pub fn new(task: &'a T, totals: Totals, batches: usize) -> Self {
        Self { task, pending: Vec::new(), values: 0, totals, batches }
    }

    /// Takes the loss and the outputs of a batch, which are out of the graph, and what it counts for.
    pub fn add(&mut self, loss: Tensor<1>, outputs: Tensor<2>, weight: f64, labels: Vec<u16>) {
        self.values += outputs.dims().iter().product::<usize>();
        self.pending.push(Pending { loss, outputs, weight, labels });
    }

    /// Whether so much waits that it should be read.
    pub fn is_full(&self) -> bool {
        self.pending.len() >= MOST_PENDING || self.values >= MOST_VALUES
    }

    /// Reads what waits.
    ///
    /// # Errors
    ///
    /// The first loss that is hopeless; what follows it is not counted.
    pub fn read(&mut self) -> Result<(), Hopeless> {
        let task = self.task;
        self.read_while(|loss| !task.diverged(loss), |_, _| {})
    }

    /// Reads what waits, whatever the losses are, and shows `seen` the labels of each batch and what was
    /// predicted.
    pub fn read_all(&mut self, seen: impl FnMut(&[u16], &[usize])) {
        let read = self.read_while(|_| true, seen);
        debug_assert!(read.is_ok(), "no loss is refused");
    }

    fn read_while(
        &mut self,
        accepted: impl Fn(f64) -> bool,
        mut seen: impl FnMut(&[u16], &[usize]),
    ) -> Result<(), Hopeless> {
        let pending = std::mem::take(&mut self.pending);
        self.values = 0;
        if pending.is_empty() {
            return Ok(());
        }
        let losses = join(pending.iter().map(|p| p.loss.clone()).collect()).into_data();
        let losses: Vec<f64> = losses.iter::<f64>().collect();
        // The last batch of an epoch may have fewer rows, but not another width.
        let outputs = join(pending.iter().map(|p| p.outputs.clone()).collect());
        let predictions = self.task.predictions(outputs);
        let mut at = 0;
        for (Pending { labels, weight, .. }, loss) in pending.iter().zip(losses) {
            self.batches += 1;
            if !accepted(loss) {
                return Err(Hopeless { batch: self.batches, loss });
            }
            // A task without classes predicts nothing.
            let end = (at + labels.len()).min(predictions.len());
            let predictions = &predictions[at.min(end)..end];
            self.totals.add_labels(labels, *weight, loss, predictions);
            seen(labels, predictions);
            at += labels.len();
        }
        Ok(())
    }
}

/// The tensors one after the other, read at once.
fn join<const D: usize>(mut tensors: Vec<Tensor<D>>) -> Tensor<D> {
    match tensors.len() {
        1 => tensors.remove(0),
        _ => Tensor::cat(tensors, 0),
    }
}

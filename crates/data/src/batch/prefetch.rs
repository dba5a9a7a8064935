use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use burn::tensor::Device;

use super::host::HostBatch;
use super::{Batch, BatchLoader, BatchSource, Examples, ImageExamples};
use crate::DataError;

/// A [`BatchLoader`] that reads, transforms and normalizes the next batches in a thread of its own, while
/// the present one is learned; [`BatchLoader::prefetched`] makes one.
///
/// It is for a GPU, which would otherwise wait. On a CPU the thread takes from training what it gives.
/// The batches are the same to the bit; they are put on the device by the thread that asks for them.
/// Errors and panics of the thread come out where the batch is asked for. The thread ends with the
/// iterator. A machine that gives no thread has the batches made when they are asked for.
#[derive(Debug)]
pub struct Prefetch<E = ImageExamples> {
    loader: Arc<BatchLoader<E>>,
    ahead: usize,
}

impl<E: Examples> Prefetch<E> {
    pub(super) fn new(loader: BatchLoader<E>, ahead: usize) -> Self {
        Self { loader: Arc::new(loader), ahead: ahead.max(1) }
    }

    /// What makes the batches.
    pub fn loader(&self) -> &BatchLoader<E> {
        &self.loader
    }
}

impl<E: Examples + 'static> BatchSource for Prefetch<E> {
    fn num_images(&self) -> usize {
        self.loader.num_images()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.loader.image_shape()
    }

    fn classes(&self) -> &[String] {
        self.loader.classes()
    }

    fn num_batches(&self) -> Option<usize> {
        Some(self.loader.num_batches())
    }

    fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
        self.batches_from(epoch, 0)
    }

    fn batches_from(
        &self,
        epoch: usize,
        first_batch: usize,
    ) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
        // One more than the queue holds is ready in the thread's hands.
        let (sender, receiver) = sync_channel(self.ahead - 1);
        let loader = Arc::clone(&self.loader);
        let thread = Builder::new().name("batches".to_owned()).spawn(move || {
            for batch in loader.host_batches(epoch, first_batch) {
                // Nobody waits for it any more.
                if sender.send(batch).is_err() {
                    break;
                }
            }
        });
        match thread {
            Ok(thread) => {
                let device = &self.loader.device;
                Box::new(Ahead { receiver: Some(receiver), thread: Some(thread), device })
            }
            Err(_) => self.loader.batches_from(epoch, first_batch),
        }
    }
}

/// The batches of one epoch, made by a thread.
struct Ahead<'a> {
    /// None: the epoch is over.
    receiver: Option<Receiver<Result<HostBatch, DataError>>>,
    thread: Option<JoinHandle<()>>,
    device: &'a Device,
}

impl Iterator for Ahead<'_> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.receiver.as_ref()?.recv() {
            Ok(batch) => {
                let batch = batch.and_then(|batch| batch.on(self.device));
                if batch.is_err() {
                    self.receiver = None;
                }
                Some(batch)
            }
            Err(_) => {
                self.receiver = None;
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    resume_unwind(panic);
                }
                None
            }
        }
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        // Without a receiver the thread ends after the batch that it is making.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            // A panic there, while nobody asks for a batch, concerns nobody.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;

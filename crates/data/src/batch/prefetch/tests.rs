use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::test_data::synthetic;
use crate::transform::{RandomCrop, Transforms};
use crate::{Normalization, Sampling, SplitMix64};

fn loader(batch_size: usize) -> BatchLoader {
    let transforms = Transforms::new().with(RandomCrop::new([2, 2], 1));
    let view = synthetic(&[20, 30]).view();
    let examples = ImageExamples::transformed(view, &transforms, &Normalization::raw()).unwrap();
    BatchLoader::of(examples, batch_size, &Device::flex()).unwrap()
}

/// Bits and labels of each batch.
fn contents(source: &dyn BatchSource, epoch: usize, first: usize) -> Vec<(Vec<u32>, Vec<u16>)> {
    let bits =
        |batch: &Batch| batch.images.clone().into_data().iter::<f32>().map(f32::to_bits).collect();
    let batches = source.batches_from(epoch, first);
    batches.map(|batch| batch.unwrap()).map(|batch| (bits(&batch), batch.labels)).collect()
}

#[test]
fn batches_that_are_prepared_are_the_same_to_the_bit() {
    let sampled = loader(8).with_sampling(&Sampling::Balanced {}, 1).unwrap();
    for loader in [loader(8).with_shuffle(1).with_drop_last(true).unwrap(), loader(50), sampled] {
        for ahead in [0, 1, 3, 100] {
            let prefetch = loader.clone().prefetched(ahead);
            assert_eq!(prefetch.num_images(), loader.num_images());
            assert_eq!(BatchSource::num_batches(&prefetch), Some(loader.num_batches()));
            assert_eq!(prefetch.image_shape(), loader.image_shape());
            for (epoch, first) in [(0, 0), (3, 0), (3, 4), (3, 99)] {
                let expected = contents(&loader, epoch, first);
                assert_eq!(contents(&prefetch, epoch, first), expected, "{ahead} {epoch} {first}");
            }
        }
    }
}

/// Ten examples of which the fifth cannot be had, and the ninth is a fault of the program.
struct Faulty {
    written: Arc<AtomicUsize>,
    fails: bool,
}

impl Examples for Faulty {
    fn len(&self) -> usize {
        10
    }

    fn shape(&self) -> [usize; 3] {
        [1, 1, 1]
    }

    fn classes(&self) -> &[String] {
        const { &[const { String::new() }] }
    }

    fn label(&self, _: usize) -> u16 {
        0
    }

    fn write(&self, at: usize, _: &mut SplitMix64, _: &mut [f32]) -> Result<(), DataError> {
        self.written.fetch_add(1, Ordering::SeqCst);
        match at {
            4 if self.fails => Err(DataError::other("a damaged picture")),
            8 => panic!("a fault of the program"),
            _ => Ok(()),
        }
    }
}

fn faulty(fails: bool) -> (Prefetch<Faulty>, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let examples = Faulty { written: written.clone(), fails };
    (BatchLoader::of(examples, 2, &Device::flex()).unwrap().prefetched(2), written)
}

#[test]
fn an_error_comes_out_at_its_batch_and_ends_the_epoch() {
    let (prefetch, _) = faulty(true);
    let mut batches = prefetch.batches(0);
    assert!(batches.next().unwrap().is_ok() && batches.next().unwrap().is_ok());
    assert_eq!(batches.next().unwrap().unwrap_err().to_string(), "a damaged picture");
    assert!(batches.next().is_none() && batches.next().is_none());
}

#[test]
fn a_panic_comes_out_at_its_batch() {
    let (prefetch, _) = faulty(false);
    let mut batches = prefetch.batches(0);
    assert_eq!(batches.by_ref().take(4).filter(Result::is_ok).count(), 4);
    let panic = catch_unwind(AssertUnwindSafe(|| batches.next().is_none())).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "a fault of the program");
    assert!(batches.next().is_none());
}

#[test]
fn the_thread_ends_with_the_iterator_and_is_not_far_ahead() {
    let (prefetch, written) = faulty(false);
    let mut batches = prefetch.batches(0);
    assert!(batches.next().unwrap().is_ok());
    drop(batches);
    // Two examples a batch: the one that was asked for, and two ahead. Nobody holds them any more.
    let count = written.load(Ordering::SeqCst);
    assert!((2..=6).contains(&count), "{count}");
    assert_eq!(Arc::strong_count(&prefetch.loader), 1);
}

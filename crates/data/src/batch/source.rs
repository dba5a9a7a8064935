use super::Batch;
use crate::DataError;

/// Batches of labelled images: what a model is fitted to and evaluated on. A
/// [`BatchLoader`](super::BatchLoader) is one; so is whatever a program makes itself:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_data::{Batch, BatchSource, DataError};
///
/// /// Grey images, the brighter ones of class 1, made when they are asked for.
/// struct Grey {
///     classes: Vec<String>,
/// }
///
/// impl BatchSource for Grey {
///     fn num_images(&self) -> usize {
///         20
///     }
///
///     fn image_shape(&self) -> [usize; 3] {
///         [1, 8, 8]
///     }
///
///     fn classes(&self) -> &[String] {
///         &self.classes
///     }
///
///     fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
///         Box::new((0..2).map(move |batch| {
///             let brightness = (epoch + batch) as f32 % 2.0;
///             if brightness > 1.0 {
///                 return Err(DataError::other("the light is out"));
///             }
///             let images = Tensor::<4>::full([10, 1, 8, 8], brightness, &Device::flex());
///             Batch::hard(images, vec![brightness as u16; 10])
///         }))
///     }
/// }
///
/// let source = Grey { classes: vec!["dark".into(), "bright".into()] };
/// for batch in source.batches(0) {
///     assert_eq!(batch?.len(), 10);
/// }
/// # Ok::<(), DataError>(())
/// ```
pub trait BatchSource {
    /// Images an epoch, as many as its batches have in all.
    fn num_images(&self) -> usize;

    /// The shape of every image: `[channels, height, width]`.
    fn image_shape(&self) -> [usize; 3];

    /// The names of the classes; a label is a position among them.
    fn classes(&self) -> &[String];

    /// Batches an epoch, if it is known before they are made.
    fn num_batches(&self) -> Option<usize> {
        None
    }

    /// The batches of one epoch, which together hold every image once, unless it is chosen otherwise, as
    /// by [`Sampling`](super::Sampling). The same epoch gives the same batches, whatever was asked before.
    ///
    /// # Errors
    ///
    /// A batch that cannot be made, as of a damaged picture, is a [`DataError`], and ends the epoch.
    fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_>;

    /// The batches of one epoch from one of them on, counted from 0: where a run goes on that was ended
    /// within an epoch. Without an own definition those before it are made and left out.
    ///
    /// # Errors
    ///
    /// As [`batches`](Self::batches), also of a batch before the first one.
    fn batches_from(
        &self,
        epoch: usize,
        first_batch: usize,
    ) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
        let batches = self.batches(epoch).enumerate();
        let wanted = batches.filter(move |(i, batch)| *i >= first_batch || batch.is_err());
        Box::new(wanted.map(|(_, batch)| batch))
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: BatchSource + ?Sized> BatchSource for $pointer {
            fn num_images(&self) -> usize {
                (**self).num_images()
            }

            fn image_shape(&self) -> [usize; 3] {
                (**self).image_shape()
            }

            fn classes(&self) -> &[String] {
                (**self).classes()
            }

            fn batches(
                &self,
                epoch: usize,
            ) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
                (**self).batches(epoch)
            }

            fn num_batches(&self) -> Option<usize> {
                (**self).num_batches()
            }

            fn batches_from(
                &self,
                epoch: usize,
                first_batch: usize,
            ) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
                (**self).batches_from(epoch, first_batch)
            }
        }
    )*};
}

forward!(&S, Box<S>);

use burn::tensor::Device;

use super::{Batch, BatchLoader};
use crate::{DataError, Normalization, View};

impl View {
    /// All images as one batch on the device, in the view's order and normalized: to look at what a network makes of
    /// a few. Training and evaluation cut a view into batches with a [`BatchLoader`].
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_data::{ImageDataset, Normalization};
    ///
    /// let classes = vec!["dark".to_owned(), "light".to_owned()];
    /// let view = ImageDataset::new("t", vec![0, 51, 255], [1, 1, 1], vec![0, 0, 1], classes)?.view();
    /// let batch = view.batch(&Normalization::unit(), &Device::flex())?;
    /// assert_eq!(batch.images.dims(), [3, 1, 1, 1]);
    /// assert_eq!(batch.labels, [0, 0, 1]);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`BatchLoader::new`]: among others, if the view has no images.
    pub fn batch(
        &self,
        normalization: &Normalization,
        device: &Device,
    ) -> Result<Batch, DataError> {
        let positions: Vec<usize> = (0..self.len()).collect();
        // Of a view without images the loader says that, rather than that a batch has none.
        let loader = BatchLoader::new(self.clone(), self.len().max(1), normalization, device)?;
        loader.gather(&positions)
    }
}

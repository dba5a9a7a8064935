use super::ImageDataset;
use crate::{DataError, DataErrorKind, Split, View};

impl ImageDataset {
    /// The images of several views, one view after the other, as a data set called `name`: for what learns without
    /// labels, as an autoencoder does. The pixels are copied.
    ///
    /// `classes` are those that the data set is to have, whatever the views call theirs. Each image keeps the number of
    /// its label; one for which there is no class becomes the last.
    ///
    /// ```
    /// use selvedge_data::ImageDataset;
    ///
    /// let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    /// let animals = names(&["cat", "dog"]);
    /// let pets = ImageDataset::new("pets", vec![10, 20], [1, 1, 1], vec![1, 0], animals.clone())?;
    /// let birds = names(&["crow", "owl", "wren"]);
    /// let birds = ImageDataset::new("birds", vec![30, 40], [1, 1, 1], vec![0, 2], birds)?;
    ///
    /// let all = ImageDataset::joined("all", &[&pets.view(), &birds.view()], &animals)?;
    /// assert_eq!(all.images(), [10, 20, 30, 40]);
    /// assert_eq!(all.labels(), [1, 0, 0, 1]);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no view, or their images are not of one shape; and as [`new`](Self::new).
    pub fn joined(
        name: impl Into<String>,
        views: &[&View],
        classes: &[String],
    ) -> Result<Self, DataError> {
        let name = name.into();
        let shape = views.first().map(|view| view.shape());
        let Some(shape) = shape.filter(|shape| views.iter().all(|view| view.shape() == *shape))
        else {
            let shapes: Vec<_> = views.iter().map(|view| view.shape()).collect();
            let reason = format!("{name}: expected images of one shape, found {shapes:?}");
            return Err(DataError::new(DataErrorKind::InvalidInput, reason));
        };
        // Without classes there is no last one, which `new` refuses.
        let last = classes.len().saturating_sub(1);
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for view in views {
            for position in 0..view.len() {
                pixels.extend_from_slice(view.image(position));
                let label = view.label(position);
                labels.push(if usize::from(label) > last { last as u16 } else { label });
            }
        }
        Self::new(name, pixels, shape, labels, classes.to_vec())
    }
}

impl Split {
    /// The images that train and those that validate, to be divided in another way: those of one data set in its order,
    /// those of two as a new data set, with a copy of the pixels.
    ///
    /// ```
    /// use selvedge_data::ImageDataset;
    ///
    /// let classes = vec!["all".to_owned()];
    /// let images = ImageDataset::new("t", vec![1, 2, 3, 4], [1, 1, 1], vec![0; 4], classes)?;
    /// let split = images.view().split_stratified_three([0.5, 0.25, 0.25], 0)?;
    /// assert_eq!(split.train_and_validation()?.len(), 3);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If they are of two data sets that together are too large.
    pub fn train_and_validation(&self) -> Result<View, DataError> {
        let Self { train, validation, .. } = self;
        if let Some(both) = train.merged(validation) {
            return Ok(both);
        }
        let name = train.dataset().name();
        Ok(ImageDataset::joined(name, &[train, validation], train.classes())?.view())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::synthetic;

    #[test]
    fn no_views_and_images_of_two_shapes_are_refused() {
        let classes = vec!["c".to_owned()];
        let dot = ImageDataset::new("dot", vec![0], [1, 1, 1], vec![0], classes.clone()).unwrap();
        let message =
            |views: &[&View]| ImageDataset::joined("all", views, &classes).unwrap_err().to_string();
        let (one, other) = (synthetic(&[1]).view(), dot.view());
        let [channels, height, width] = one.shape();
        assert_eq!(
            message(&[&one, &other]),
            format!(
                "all: expected images of one shape, found [[{channels}, {height}, {width}], [1, 1, 1]]"
            )
        );
        assert_eq!(message(&[]), "all: expected images of one shape, found []");
    }
}

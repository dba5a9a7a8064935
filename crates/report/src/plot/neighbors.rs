use selvedge_data::View;
use selvedge_train::features::Neighbor;

use super::picture::{Picture, PlotError};
use super::sheet::{SheetImage, grid};

/// Most neighbours beside an image.
const MOST: usize = 9;

/// Draws images, each at the left of a row with its neighbours among the images of `searched` beside it, as
/// [`Features::nearest`](selvedge_train::features::Features::nearest) finds them: below a neighbour stand its class and
/// how far away it is. As many are drawn as the first image has, nine at most.
///
/// # Errors
///
/// [`PlotError::Data`] if there are not as many lists of neighbours as images, one has fewer than the first, or one that
/// is not in `searched`; and as [`sheet`](super::sheet).
pub fn neighbors(
    title: &str,
    subtitle: Option<&str>,
    images: &[SheetImage<'_>],
    searched: &View,
    found: &[Vec<Neighbor>],
) -> Result<Picture, PlotError> {
    let refused = |reason| PlotError::Data { picture: "neighbours", reason };
    if images.len() != found.len() {
        let (lists, images) = (found.len(), images.len());
        return Err(refused(format!("there are {lists} lists of neighbours for {images} images")));
    }
    let count = found.first().map_or(0, Vec::len).min(MOST);
    let mut shown = Vec::new();
    for (i, (image, found)) in images.iter().zip(found).enumerate() {
        if found.len() < count {
            return Err(refused(format!("image {i} has {} neighbours, not {count}", found.len())));
        }
        shown.push(image.clone());
        for near in &found[..count] {
            if near.position >= searched.len() {
                let reason = format!("there is no image {} of {}", near.position, searched.len());
                return Err(refused(reason));
            }
            let class = searched.classes()[usize::from(searched.label(near.position))].clone();
            shown.push(SheetImage {
                pixels: searched.image(near.position),
                shape: searched.shape(),
                caption: vec![class, format!("{:.3} away", near.distance)],
            });
        }
    }
    grid(title, subtitle, count + 1, &shown)
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;

    use super::*;
    use crate::plot::testing::Pixels;

    #[test]
    fn every_row_begins_with_its_image_and_neighbours_are_named() {
        let classes = vec!["bag".to_owned(), "coat".to_owned()];
        let pixels = vec![0, 255, 255, 0, 9, 9];
        let searched = ImageDataset::new("t", pixels, [1, 1, 2], vec![0, 1, 1], classes);
        let searched = searched.unwrap().view();
        let query = |name: &str| SheetImage {
            pixels: &[7, 70],
            shape: [1, 1, 2],
            caption: vec![name.into()],
        };
        let near = |position, distance| Neighbor { position, distance };
        let found = [vec![near(2, 0.0125), near(0, 1.5)], vec![near(1, 0.5), near(0, 0.75)]];
        let images = [query("a.png"), query("b.png")];
        let picture = neighbors("Alike?", None, &images, &searched, &found).unwrap();
        let first: Vec<u8> = picture.insets.iter().map(|inset| inset.raster.rgb[0]).collect();
        assert_eq!(first, [7, 9, 0, 7, 255, 0]);
        let svg = picture.to_svg();
        assert!(svg.contains(">0.013 away<") || svg.contains(">0.012 away<"));
        assert!(svg.contains(">a.png<") && svg.contains(">coat<"));
        assert!(Pixels::new(&picture).border_is_clear());
        let told = |found: &[Vec<Neighbor>]| {
            let error = neighbors("", None, &images, &searched, found).unwrap_err().to_string();
            error.strip_prefix("cannot draw the neighbours: ").unwrap().to_owned()
        };
        assert_eq!(told(&found[..1]), "there are 1 lists of neighbours for 2 images");
        assert_eq!(told(&[vec![near(3, 0.0)], vec![near(0, 0.0)]]), "there is no image 3 of 3");
        assert_eq!(told(&[vec![near(1, 0.0)], vec![]]), "image 1 has 0 neighbours, not 1");
    }
}

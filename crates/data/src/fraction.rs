//! Which images a nested, stratified fraction takes.

use crate::SplitMix64;

/// Keeps the choice of a fraction apart from whatever else is drawn from the same seed ("fraction").
const FRACTION: u64 = 0x6672_6163_7469_6F6E;

/// For each image, of which the labels below `classes` are given, whether it is one of the `count` taken; but at least one of each class
/// that has images is.
///
/// All images are put into one fixed order of which every beginning is stratified; a fraction is
/// a beginning of it, which makes fractions nested. Within a class the order is random. The image
/// of rank `r` in a class of `n` comes at "time" `(2r + 1) / 2n`, so that by any time every class
/// has given the same share of its images, to the nearest whole one: the divisor method of
/// Webster and Sainte-Laguë. The first image of each class comes before all others, so that no
/// class is left out.
pub(crate) fn chosen(labels: &[u16], classes: usize, count: usize, seed: u64) -> Vec<bool> {
    let mut members = vec![Vec::new(); classes];
    for (position, &label) in labels.iter().enumerate() {
        members[usize::from(label)].push(position);
    }
    members.retain(|positions| !positions.is_empty());

    let mut order = Vec::with_capacity(labels.len());
    for (class, positions) in members.iter_mut().enumerate() {
        SplitMix64::stream(seed ^ FRACTION, class as u64).shuffle(positions);
        let size = positions.len() as u64;
        for (rank, &position) in positions.iter().enumerate() {
            let odd = if rank == 0 { 0 } else { 2 * rank as u64 + 1 };
            order.push((odd, size, position));
        }
    }
    // Compares odd/size exactly by cross-multiplication: both are below 2^33. The sort is stable,
    // so that ties fall to the class of the lower label.
    order.sort_by(|a, b| {
        (u128::from(a.0) * u128::from(b.1)).cmp(&(u128::from(b.0) * u128::from(a.1)))
    });

    let count = count.clamp(members.len(), labels.len());
    let mut chosen = vec![false; labels.len()];
    for &(_, _, position) in &order[..count] {
        chosen[position] = true;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use crate::ImageDataset;
    use crate::test_data::synthetic;

    #[test]
    fn smaller_fractions_are_inside_larger_ones_and_keep_class_shares() {
        let sizes = [497, 503, 250, 1000, 61];
        let view = synthetic(&sizes).view();
        let mut before: Vec<u32> = Vec::new();
        for percent in 1..=100 {
            let fraction = f64::from(percent) / 100.0;
            let part = view.stratified_fraction(fraction, 5).unwrap();
            assert_eq!(part.len(), (fraction * 2311.0).round() as usize);
            assert!(before.iter().all(|i| part.indices().contains(i)), "{percent} %");
            for (&count, size) in part.class_counts().iter().zip(sizes) {
                let exact = fraction * size as f64;
                assert!((count as f64 - exact).abs() < 1.5, "{percent} %: {count} of {size}");
            }
            before = part.indices().to_vec();
        }
        assert_eq!(before, view.indices(), "100 % is the view in its own order");
    }

    #[test]
    fn the_smallest_fraction_has_one_image_of_each_class_that_has_any() {
        let view = synthetic(&[1000, 0, 2, 1]).view();
        let part = view.stratified_fraction(1e-300, 0).unwrap();
        assert_eq!(part.class_counts(), [1, 0, 1, 1]);
    }

    // Expected: a Python program of the algorithms in `rng` and `chosen`, with exact fractions.
    #[test]
    fn a_seed_draws_the_same_images_as_ever() {
        let labels = (0..30).map(|i| i % 3).collect();
        let classes = ["a", "b", "c"].map(String::from).to_vec();
        let view = ImageDataset::new("t", vec![0; 30], [1, 1, 1], labels, classes).unwrap().view();
        let part = view.stratified_fraction(8.0 / 30.0, 7).unwrap();
        assert_eq!(part.indices(), [0, 3, 5, 12, 13, 14, 19, 22]);
        let split = view.split_stratified(22.0 / 30.0, 7).unwrap();
        assert_eq!(split.validation.indices(), part.indices());
    }

    #[test]
    fn a_fraction_depends_on_its_seed_alone() {
        let view = synthetic(&[50, 50]).view();
        let draw = |seed| view.stratified_fraction(0.5, seed).unwrap();
        assert_eq!(draw(1).indices(), draw(1).indices());
        assert_ne!(draw(1).indices(), draw(2).indices());
    }

    #[test]
    fn impossible_fractions_are_refused() {
        let view = synthetic(&[5]).view();
        for fraction in [0.0, -0.5, 1.000_001, f64::NAN, f64::INFINITY] {
            let error = view.stratified_fraction(fraction, 0).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "fraction of the images: expected a number above 0 and at most 1, found {fraction}"
                )
            );
        }
        let none = view.range(0..0).unwrap().stratified_fraction(0.5, 0).unwrap_err();
        assert_eq!(
            none.to_string(),
            "fraction of the images: expected at least 1 image, found none"
        );
    }
}

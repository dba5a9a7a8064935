//! Principal components, t-SNE and neighbours, against scikit-learn: `tests/python/make_features.py` made what is expected.

use burn::tensor::Device;
use selvedge_data::{ImageDataset, Normalization};
use selvedge_models::{Architecture, Initialization};
use serde_json::Value;

use super::tsne::{descend, divergence, gradient, joint_probabilities};
use super::*;

const IMAGES: usize = 60;
const SIZE: usize = 7;

fn expected() -> Value {
    serde_json::from_str(include_str!("../../tests/data/features.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// (31 j² + 7 j + 1009 t) mod 10007 / 10006
fn uniform(t: usize, j: usize) -> f64 {
    ((31 * j * j + 7 * j + 1009 * t) % 10_007) as f64 / 10_006.0
}

fn of(values: Vec<f32>, size: usize) -> Features {
    let labels = (0..values.len() / size).map(|i| (i % 3) as u16).collect();
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    Features::from_values(values, [size, 1, 1], labels, classes).unwrap()
}

/// Three groups.
fn features() -> Features {
    let value = |at: usize| {
        let (i, d) = (at / SIZE, at % SIZE);
        (uniform(2 + i % 3, d) + uniform(1, at) / 2.0) as f32
    };
    of((0..IMAGES * SIZE).map(value).collect(), SIZE)
}

fn points(features: &Features) -> Vec<Vec<f64>> {
    let point = |i| features.image(i).iter().map(|x| f64::from(*x)).collect();
    (0..features.len()).map(point).collect()
}

#[track_caller]
fn assert_near(found: impl IntoIterator<Item = f64>, expected: &[f64], tolerance: f64) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    let most = expected.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * most, "{i}: {f}, expected {e}");
    }
}

fn within<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

#[test]
fn principal_components_are_those_of_scikit_learn_with_their_signs() {
    let expected = expected();
    let pca = Pca::fit(&features(), 4).unwrap();
    let of = |name: &str| numbers(&expected[name]);
    assert_near(pca.mean().to_vec(), &of("mean"), 1e-8);
    assert_near(pca.components().concat(), &of("components"), 1e-8);
    assert_near(pca.explained_variance().to_vec(), &of("variances"), 1e-8);
    assert_near(pca.explained_variance_ratio(), &of("ratios"), 1e-8);
    assert_near(pca.project(&features()).unwrap().concat(), &of("projected"), 1e-8);
}

#[test]
fn components_of_more_features_than_images_are_found_whatever_the_number_of_threads() {
    let (images, size) = (20, 500);
    let value =
        |at: usize| (uniform(5, at) + 3.0 * uniform(6, at % size) * uniform(7, at / size)) as f32;
    let wide = of((0..images * size).map(value).collect(), size);
    let fit = |threads| within(threads, || Pca::fit(&wide, 20).unwrap());
    let (pca, same) = (fit(1), fit(3));
    assert_eq!(pca.components(), same.components());
    // Twenty images have nineteen differences from their mean.
    assert_eq!(pca.explained_variance()[19], 0.0);
    let sum: f64 = pca.explained_variance_ratio().iter().sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    for (i, a) in pca.components()[..19].iter().enumerate() {
        for (j, b) in pca.components()[..19].iter().enumerate() {
            let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-8, "{i} {j}: {dot}");
        }
    }
}

#[test]
fn features_that_do_not_vary_have_components_of_zeros() {
    let pca = Pca::fit(&of(vec![3.5; 10], 2), 2).unwrap();
    assert_eq!(pca.components(), [[0.0; 2], [0.0; 2]]);
    assert_eq!(pca.explained_variance_ratio(), [0.0, 0.0]);
    let map = Tsne { perplexity: 2.0, ..Tsne::default() }.fit(&of(vec![3.5; 10], 2)).unwrap();
    assert_eq!(map.points, [[0.0; 2]; 5]);
}

#[test]
fn the_probabilities_the_gradient_and_the_first_steps_of_t_sne_are_those_of_scikit_learn() {
    let expected = expected();
    let points = points(&features());
    let joint = joint_probabilities(&points, 12.0);
    assert_near(joint.clone(), &numbers(&expected["probabilities"]), 2e-5);
    let start: Vec<[f64; 2]> = points.iter().map(|p| [0.01 * p[0], 0.01 * p[1]]).collect();
    let slope = gradient(&joint, &start, 1.0);
    let divergence = divergence(&joint, &start);
    assert_near([divergence], &[expected["divergence"].as_f64().unwrap()], 2e-5);
    assert_near(slope.concat(), &numbers(&expected["gradient"]), 1e-4);
    let settings = Tsne { iterations: 30, ..Tsne::default() };
    let found = descend(&joint, start, &settings).points.concat();
    assert_near(found, &numbers(&expected["steps"]), 1e-3);
}

#[test]
fn a_map_is_as_good_as_that_of_scikit_learn() {
    let settings = Tsne { perplexity: 12.0, ..Tsne::default() };
    let map = settings.fit(&features()).unwrap();
    let expected = expected()["whole_divergence"].as_f64().unwrap();
    println!("{} and {expected}", map.divergence);
    assert!(
        (map.divergence - expected).abs() < 0.05 * expected,
        "{} and {expected}",
        map.divergence
    );
}

#[test]
fn images_of_groups_that_lie_apart_have_neighbours_of_their_group_on_the_map() {
    let value = |at: usize| {
        let (i, d) = (at / SIZE, at % SIZE);
        uniform(1, at) as f32 + if i % 3 == d { 4.0 } else { 0.0 }
    };
    let groups = of((0..IMAGES * SIZE).map(value).collect(), SIZE);
    for seed in [None, Some(1)] {
        let map = Tsne { perplexity: 12.0, seed, ..Tsne::default() }.fit(&groups).unwrap();
        let square = |a: usize, b: usize| -> f64 {
            map.points[a].iter().zip(map.points[b]).map(|(a, b)| (a - b).powi(2)).sum()
        };
        for i in 0..IMAGES {
            let others = (0..IMAGES).filter(|j| *j != i);
            let nearest = others.min_by(|a, b| square(i, *a).total_cmp(&square(i, *b))).unwrap();
            assert_eq!(nearest % 3, i % 3, "image {i} lies beside image {nearest}");
        }
    }
}

#[test]
fn a_map_depends_on_the_seed_and_not_on_the_number_of_threads() {
    let map = |threads, seed| {
        let settings = Tsne { perplexity: 5.0, iterations: 60, seed, ..Tsne::default() };
        within(threads, || settings.fit(&features()).unwrap())
    };
    assert_eq!(map(1, Some(1)), map(3, Some(1)));
    assert_eq!(map(1, None), map(2, None));
    assert_ne!(map(1, Some(1)), map(1, Some(2)));
}

#[test]
fn neighbours_are_those_of_scikit_learn() {
    let expected = expected();
    let all = features();
    let values =
        |range: std::ops::Range<usize>| range.flat_map(|i| all.image(i).to_vec()).collect();
    let (queries, searched) = (of(values(0..10), SIZE), of(values(10..IMAGES), SIZE));
    for (name, distance) in [("cosine", Distance::Cosine), ("euclidean", Distance::Euclidean)] {
        let found = searched.nearest(&queries, 4, distance).unwrap().concat();
        let positions: Vec<f64> = found.iter().map(|n| n.position as f64).collect();
        assert_eq!(positions, numbers(&expected["nearest"][name]["positions"]));
        let distances = found.iter().map(|n| n.distance);
        assert_near(distances, &numbers(&expected["nearest"][name]["distances"]), 1e-6);
    }
}

#[test]
fn equally_near_images_come_in_their_order_and_nothing_is_as_far_as_a_right_angle() {
    let searched = of(vec![0.0, 0.0, 2.0, 0.0, 1.0, 0.0], 2);
    let found = searched.nearest(&of(vec![3.0, 0.0], 2), 9, Distance::Cosine).unwrap();
    let found: Vec<(usize, f64)> = found[0].iter().map(|n| (n.position, n.distance)).collect();
    assert_eq!(found, [(1, 0.0), (2, 0.0), (0, 1.0)]);
}

#[test]
fn what_has_no_map_is_refused_on_one_line() {
    fn told<T: std::fmt::Debug>(result: Result<T, TrainError>) -> String {
        let message = result.unwrap_err().to_string();
        assert!(message.len() < 160 && !message.contains('\n'), "{message}");
        message
    }
    let (usual, good) = (Tsne::default(), features());
    assert_eq!(
        told(usual.fit(&of(vec![1.0; 3], 1))),
        "the number of images is 3, but must be 4 to 5000"
    );
    assert!(told(Tsne { perplexity: 60.0, ..usual }.fit(&good)).starts_with("perplexity is 60"));
    assert!(
        told(Tsne { perplexity: f64::NAN, ..usual }.fit(&good)).starts_with("perplexity is NaN")
    );
    assert!(told(Tsne { iterations: 0, ..usual }.fit(&good)).starts_with("iterations is 0"));
    let rate = Tsne { learning_rate: Some(0.0), ..usual };
    assert!(told(rate.fit(&good)).starts_with("learning_rate is 0"));
    let bad = of(vec![f32::NAN; 40], 1);
    assert_eq!(told(usual.fit(&bad)), "a feature is NaN or infinite, but must be finite");
    assert_eq!(told(Pca::fit(&bad, 1)), "a feature is NaN or infinite, but must be finite");
    assert!(
        told(Pca::fit(&good, 8))
            .starts_with("the number of components is 8, but must be at least 1")
    );
    assert!(told(Pca::fit(&good, 0)).starts_with("the number of components is 0"));
    assert!(
        told(good.nearest(&good, 0, Distance::Cosine)).starts_with("the number of neighbours is 0")
    );
    let other = of(vec![0.0; 4], 2);
    assert!(told(good.nearest(&other, 1, Distance::Cosine)).contains("is 2, but must be that of"));
    let classes = || vec!["a".to_owned()];
    let label = Features::from_values(vec![0.0], [1, 1, 1], vec![1], classes());
    assert_eq!(told(label), "a label is 1, but must be below the number of classes");
    let values = Features::from_values(vec![0.0; 3], [2, 1, 1], vec![0], classes());
    assert!(told(values).starts_with("the number of values is 3, but must be above 0"));
}

#[test]
fn features_of_a_layer_are_those_of_a_trunk_cut_behind_it_and_blocks_have_layers_too() {
    let net = Architecture::new("net", [1, 6, 6]).conv("conv1", 4, 3, 1).relu();
    let net = net.residual("block", |main| main.conv("conv2", 4, 3, 1), |same| same);
    let net = net.flatten().linear("fc1", 2);
    let network = net.init(Initialization::PyTorch, 3, &Device::flex()).unwrap();
    let pixels = (0..5 * 36).map(|i| (i * 37 % 256) as u8).collect();
    let classes = vec!["a".to_string(), "b".to_string()];
    let images = ImageDataset::new("t", pixels, [1, 6, 6], vec![0, 1, 0, 1, 1], classes).unwrap();
    let context = Context::new(&Device::flex());
    let normalization = Normalization::unit();
    let of_layer =
        |layer| Features::of_layer(&network, layer, &images.view(), &normalization, &context);
    let found = of_layer("block").unwrap();
    let trunk = network.clone().cut_at("flatten1").unwrap().0;
    let cut = Features::extract(&trunk, &images.view(), &normalization, &context).unwrap();
    assert_eq!((found.shape(), found.labels()), (cut.shape(), cut.labels()));
    assert!(
        (0..5).all(|i| {
            found.image(i).iter().zip(cut.image(i)).all(|(a, b)| (a - b).abs() < 1e-5)
        })
    );
    assert_eq!(of_layer("block.conv2").unwrap().shape(), [4, 6, 6]);
    assert_eq!(of_layer("fc1").unwrap().shape(), [2, 1, 1]);
    let told = of_layer("block.conv3").unwrap_err().to_string();
    assert!(
        told.starts_with("`net` has no layer named `block.conv3`; its layers are conv1, "),
        "{told}"
    );
}

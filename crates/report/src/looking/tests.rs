use burn::tensor::{Device, TensorData};
use selvedge_data::transform::Corruption;
use selvedge_data::{ImageDataset, Normalization, View};
use selvedge_models::{Airbench, Architecture, Initialization, Mlp, Op, Shape, state};
use selvedge_train::{Context, RobustnessRow, Stop};

use super::look::distinct;
use super::*;

fn bundle(net: Architecture) -> Bundle {
    let network = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
    let classes = ["bag", "coat", "<script>"].map(String::from).to_vec();
    Bundle::from_parts(network, classes, vec![0.3], vec![0.35])
}

fn small() -> Architecture {
    let net = Architecture::new("small", [1, 12, 12]).conv("conv1", 4, 3, 1).relu().max_pool(2);
    net.conv("conv2", 6, 3, 1).relu().flatten().linear("fc1", 8).relu().linear("fc2", 3)
}

fn images(count: usize) -> Vec<LookedAt> {
    let image = |n: usize| {
        let pixels = (0..144).map(|i| ((i * 7 + n * 31) % 256) as u8).collect();
        LookedAt { name: format!("image {n}"), pixels }
    };
    (0..count).map(image).collect()
}

/// So many images of the test network's size, in as many classes.
fn view(count: usize, classes: Vec<String>) -> View {
    let pixels = images(count).into_iter().flat_map(|image| image.pixels).collect();
    let labels = (0..count).map(|i| (i % classes.len()) as u16).collect();
    ImageDataset::new("t", pixels, [1, 12, 12], labels, classes).unwrap().view()
}

fn normalization() -> Normalization {
    Normalization { mean: vec![0.3], std: vec![0.35] }
}

fn refused(look: Look<'_>) -> String {
    let message = look.compute().unwrap_err().to_string();
    assert!(message.len() < 250 && !message.contains('\n'), "{message}");
    message
}

/// What is written on a picture, whose lines are broken between words.
fn texts(picture: &Picture) -> String {
    let svg = picture.to_svg();
    let texts = svg.split('>').skip(1).filter_map(|part| part.split_once('<'));
    let texts = texts.map(|(text, _)| text.trim()).filter(|text| !text.is_empty());
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_requested_stop_ends_the_looking() {
    let (bundle, stop) = (bundle(small()), Stop::default());
    let look = Look::new(&bundle, images(1)).with_stop(stop.clone());
    assert!(look.clone().compute().is_ok());
    stop.request();
    assert!(matches!(look.compute(), Err(LookError::Stopped)));
}

#[test]
fn the_page_has_every_method_the_maps_the_filters_and_what_excites_the_classes() {
    let bundle = bundle(small());
    let seen = Look::new(&bundle, images(3))
        .with_filter(Some("conv2:5"))
        .unwrap()
        .with_excitation(true)
        .with_attack(Some(0.0005))
        .unwrap()
        .compute()
        .unwrap();
    assert!(seen.notes().is_empty());
    let methods: Vec<&str> = seen.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(methods, Method::ALL.map(Method::name));
    let view = view(9, bundle.classes().to_vec());
    let context = Context::new(&Device::flex());
    let alike = Alike::search(&bundle, &seen, (&view, &normalization()), 2, &context).unwrap();
    // The images that are looked at are the first three of those that are searched.
    let first: Vec<usize> = alike.found().iter().map(|found| found[0].position).collect();
    assert_eq!(first, [0, 1, 2]);
    assert!(alike.found().iter().all(|found| found.len() == 2 && found[0].distance < 1e-6));
    let row = |severity, accuracy| RobustnessRow {
        corruption: Corruption::Noise,
        severity,
        strength: 0.04 * severity as f64,
        accuracy,
    };
    let table = Robustness { clean: 0.9, rows: vec![row(1, 0.875), row(2, 0.625)] };
    let seen = seen.with_alike(alike).with_robustness(table, "9 test images of t");
    let pictures = seen.pictures().unwrap();
    assert!(pictures.iter().map(|(name, _)| *name).eq(PICTURES));
    let page = seen.page("look_inside a.safetensors").unwrap().to_html();
    for part in [
        "What it predicts",
        "Which pixels matter",
        "What it takes for alike",
        "What its layers make of an image",
        "What a filter makes of an image in every layer",
        "What becomes of image 0 in filter 5 of every layer?",
        "What its first filters look for",
        "What excites it",
        "; filter 5 of conv2",
        "keep their class under FGSM",
        "no pixel changes by more than 0.0005 of its range",
        "What does it bear? Of 9 test images of t 90.0 % are right",
        "at the greatest strength: noise 62.5 %",
        "look_inside a.safetensors",
        "guided",
        "t-SNE",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("<script>\""));
}

#[test]
fn fifty_images_are_looked_at_and_the_first_of_them_drawn_where_there_is_no_room_for_all() {
    let bundle = bundle(small());
    let look = Look::new(&bundle, images(50)).with_attack(Some(1.0)).unwrap();
    let seen = look.compute().unwrap();
    assert!(seen.layers.iter().all(|layer| layer.shape[0] == 4));
    let views = (&view(9, bundle.classes().to_vec()), &view(8, bundle.classes().to_vec()));
    let data = Reference::new(&bundle, "few", views, 7).unwrap();
    let seen = seen.compared(&data, &Context::new(&Device::flex())).unwrap();
    assert_eq!(seen.alike.as_ref().unwrap().found().len(), 50);
    let pictures = seen.pictures().unwrap();
    let names = ["sheet", "neighbors", "tsne", "pca", "maps", "filters", "misled", "robustness"];
    assert!(pictures.iter().map(|(name, _)| *name).eq(names));
    let svg = pictures[1].1.to_svg();
    assert_eq!(svg.matches("<image ").count(), 20 * 7);
    let told = texts(&pictures[1].1);
    assert!(told.contains("among 7 training images of few; the first 20 of 50 images"), "{told}");
    assert!(told.contains(" of 120 neighbours have the predicted class"), "{told}");
    let told = texts(&pictures[2].1);
    assert!(told.contains("t-SNE of 7 training images of few; "), "{told}");
    let told = texts(&pictures[3].1);
    assert!(told.contains("first principal component: ") && told.contains(" of 7 images lie"));
    let page = seen.page("").unwrap().to_html();
    assert!(page.contains("Of 7 test images of few ") && page.contains("The maps of image 3"));
    assert!(!page.contains("The maps of image 4"));
    assert!(page.contains("Of the 50 images the first 4 are shown."));
}

#[test]
fn a_map_that_cannot_be_drawn_is_left_out_and_told() {
    let bundle = bundle(small());
    let context = Context::new(&Device::flex());
    let many = (0..22).map(|i| i.to_string()).collect();
    for (view, reason) in [
        (view(22, many), "its colours tell 21 classes apart, and there are 22"),
        (view(3, bundle.classes().to_vec()), "it needs 4 images, and there are 3"),
    ] {
        let seen = Look::new(&bundle, images(1)).compute().unwrap();
        let data = (&view, &normalization());
        let alike = Alike::search(&bundle, &seen, data, 6, &context).unwrap();
        let seen = seen.with_alike(alike);
        let told = format!("the maps by t-SNE and by principal components are not shown: {reason}");
        assert_eq!(seen.notes(), [told.as_str()]);
        assert!(seen.pictures().unwrap().iter().all(|(name, _)| *name != "tsne"));
        assert_eq!(seen.page("").unwrap().to_html().matches(&told).count(), 1);
    }
}

#[test]
fn a_data_set_of_other_classes_or_images_is_refused_before_anything_is_computed() {
    let bundle = bundle(small());
    let told = |classes: &[&str], among: usize| {
        let view = view(5, classes.iter().map(|name| name.to_string()).collect());
        Reference::new(&bundle, "other", (&view, &view), among).unwrap_err().to_string()
    };
    let known = "but `small` knows bag, coat, <script>";
    let swapped = told(&["coat", "bag", "<script>"], 5);
    assert_eq!(swapped, format!("other has the classes coat, bag, <script>, {known}"));
    assert_eq!(
        told(&["bag", "\u{1b}"], 5),
        format!("other has the classes bag, \\u{{1b}}, {known}")
    );
    let few = told(&["bag", "coat", "<script>"], 3);
    assert_eq!(few, "the number of images of a data set is 3, but must be at least 4");
    // Of many classes those are told that differ.
    let names = |last: &str| (0..14).map(|i| format!("c{i}")).chain([last.into()]).collect();
    let network = bundle.network().clone();
    let many = Bundle::from_parts(network, names("x"), vec![0.3], vec![0.35]);
    let view = view(15, names("y"));
    let told = Reference::new(&many, "other", (&view, &view), 9).unwrap_err().to_string();
    let expected = "has the classes y from class 14 on, but `small` knows x from class 14 on";
    assert_eq!(told, format!("other {expected}"));
    let net = Architecture::new("one", [1, 1, 1]).flatten().linear("fc", 15);
    let network = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
    let one = Bundle::from_parts(network, names("y"), vec![0.3], vec![0.35]);
    let told = Reference::new(&one, "other", (&view, &view), 9).unwrap_err().to_string();
    assert_eq!(told, "`one` takes images of 1 × 1 × 1, but these are of 1 × 12 × 12");
}

#[test]
fn features_are_what_reaches_the_head_also_if_a_scale_stands_behind_it() {
    let features = |net: Architecture| {
        let network = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
        alike::trunk(&network).unwrap().architecture().output_shape().unwrap()
    };
    let net = Airbench::default().with_channels([4, 6, 8]).with_classes(10).architecture();
    assert!(matches!(net.layers.last().unwrap().op, Op::Scale { .. }));
    assert_eq!(features(net), Shape::Features(8));
    assert_eq!(features(small()), Shape::Features(8));
    let none = Architecture::new("no_head", [1, 12, 12]).conv("conv1", 4, 3, 1);
    assert_eq!(features(none.conv("conv2", 3, 3, 1)), Shape::Images([4, 12, 12]));
}

#[test]
fn a_change_of_no_pixels_or_of_more_than_all_is_refused() {
    let bundle = bundle(small());
    for (epsilon, shown) in [(0.0, "0"), (-0.1, "-0.1"), (5.0, "5"), (f64::NAN, "NaN")] {
        let told = Look::new(&bundle, images(1)).with_attack(Some(epsilon)).unwrap_err();
        let expected = format!("epsilon is {shown}, but must be above 0 and at most 1");
        assert_eq!(told.to_string(), expected);
    }
}

#[test]
fn what_does_not_fit_a_network_is_left_out_and_told() {
    let net = Architecture::new("smooth", [1, 12, 12]).conv("conv1", 4, 3, 1);
    let net = net.layer("act", Op::Gelu { approximate: Default::default() }).flatten();
    let smooth = bundle(net.linear("fc", 3));
    let seen = Look::new(&smooth, images(1)).compute().unwrap();
    assert_eq!(seen.methods.len(), 7);
    let [note] = seen.notes() else { panic!("{:?}", seen.notes()) };
    assert!(note.starts_with("guided backprop is not shown: layer `act`"), "{note}");

    let net = Mlp::new(3).architecture().with_input([1, 12, 12]).unwrap();
    let mlp = bundle(net);
    let seen = Look::new(&mlp, images(1)).compute().unwrap();
    assert!(seen.notes().iter().any(|note| note.starts_with("Grad-CAM is not shown: ")));
    assert!(seen.filters.is_none() && seen.layers.is_empty());
    assert!(!seen.page("").unwrap().to_html().contains("What its first filters look for"));
}

#[test]
fn images_of_a_pixel_are_looked_at_as_well() {
    let one = bundle(Architecture::new("one", [1, 1, 1]).flatten().linear("fc", 3));
    let image = LookedAt { name: "a".into(), pixels: vec![7] };
    let seen = Look::new(&one, vec![image]).compute().unwrap();
    seen.page("").unwrap();
    let svg = seen.sheet().unwrap().to_svg();
    assert_eq!(svg.matches("<image ").count(), seen.methods.len() + 2);
}

#[test]
fn images_classes_layers_and_weights_that_do_not_fit_are_refused_on_one_line() {
    let good = bundle(small());
    let told = refused(Look::new(&good, Vec::new()));
    assert_eq!(told, "the number of images is 0, but must be 1 to 50");
    assert!(refused(Look::new(&good, images(51))).starts_with("the number of images is 51"));
    let wrong = LookedAt { name: "a".into(), pixels: vec![0; 143] };
    assert!(refused(Look::new(&good, vec![wrong])).contains("144"));
    let told = refused(Look::new(&good, images(1)).with_class(Some(3)));
    assert_eq!(told, "class is 3, but must be below 3");
    let told = refused(Look::new(&good, images(1)).with_layer(Some("conv3".into())));
    assert!(
        told.starts_with("`small` has no layer named `conv3`; its layers are conv1, "),
        "{told}"
    );
    let told = refused(Look::new(&good, images(1)).with_layer(Some("fc1".into())));
    assert_eq!(told, "layer `fc1` of `small`: it gives features, not maps");
    let filter = |text| Look::new(&good, images(1)).with_filter(Some(text));
    assert!(refused(filter("conv2:6").unwrap()).starts_with("channel is 6, but must be below 6"));
    assert!(refused(filter("conv9:0").unwrap()).starts_with("`small` has no layer named `conv9`"));
    for text in ["conv2", ":1", "conv2:", "conv2:-1", "conv2:\u{1b}[2J"] {
        let told = filter(text).unwrap_err().to_string();
        assert!(told.ends_with("but must be a layer and a number, such as conv1:0"), "{told}");
        assert!(!told.contains('\u{1b}'));
    }
    let nan = TensorData::new(vec![f32::NAN; 24], [3, 8]);
    let network = state::write(good.network().clone(), [("fc2.weight".to_string(), nan)].into());
    let bad = Bundle::from_parts(network, good.classes().to_vec(), vec![0.3], vec![0.35]);
    let told = refused(Look::new(&bad, images(1)));
    assert_eq!(told, "`small`: `fc2.weight` has values that are NaN or infinite");
}

#[test]
fn of_many_names_some_are_taken_evenly_and_classes_once() {
    let names = |count: usize| (0..count).map(|i| i.to_string()).collect::<Vec<_>>();
    assert_eq!(spread(names(3), 6), ["0", "1", "2"]);
    assert_eq!(spread(names(16), 6), ["0", "3", "6", "9", "12", "15"]);
    assert_eq!(distinct(&[4, 1, 4, 2, 1, 0]), [4, 1, 2, 0]);
}

#[test]
fn titles_have_an_answer_and_subtitles_say_what_is_left_out() {
    let net = Architecture::new("wide", [1, 12, 12]).conv("conv0", 48, 3, 1).relu();
    let net = (1..8).fold(net, |net, i| net.conv(&format!("conv{i}"), 3, 3, 1).relu());
    let bundle = bundle(net.flatten().linear("fc", 3));
    let seen = Look::new(&bundle, images(1)).with_excitation(true).compute().unwrap();
    let class = seen.predictions()[0].name.clone();
    let pictures = seen.pictures().unwrap();
    let svg = |name: &str| texts(&pictures.iter().find(|(found, _)| *found == name).unwrap().1);
    let class = class.replace('<', "&lt;").replace('>', "&gt;");
    let within = least_above(seen.completeness.unwrap());
    for (name, text) in [
        ("sheet", format!("Which pixels matter? It is taken for {class} with ")),
        ("sheet", format!("add up to the difference of the logits within {within}")),
        ("filters", "the first 40 of 48 filters; one scale".into()),
        ("maps", "behind 6 of 8 convolutions, from the first to the last; each layer has".into()),
        ("maps", "conv0, after relu1: 8 of 48 channels".into()),
        ("excited", format!("In 40 steps: {class} from ")),
        ("excited", "by gradient ascent from noise, on the logit of a class".into()),
    ] {
        assert!(svg(name).contains(&text), "{text}: {}", svg(name));
    }
    assert_eq!(least_above(0.0034), "0.004");
    assert_eq!(least_above(0.095), "0.1");
    assert_eq!(least_above(2.1), "3");
    assert_eq!(least_above(0.0), "0");
}

#[test]
fn all_channels_of_layers_by_name_are_drawn_and_what_excites_begins_with_the_image() {
    let bundle = bundle(small());
    let look = Look::new(&bundle, images(1)).with_channels(None);
    let look = look.with_maps(["relu2", "conv1"].map(String::from).to_vec());
    let seen = look.with_excitation(true).with_excitation_from_image(true).compute().unwrap();
    let names: Vec<&str> = seen.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["relu2", "conv1"]);
    // The image, and of each layer its bar and all maps.
    assert_eq!(seen.maps(0).unwrap().to_svg().matches("<image ").count(), 1 + 1 + 6 + 1 + 4);
    let start = misled::pixels(&bundle, seen.excited[0].1[0].images.clone());
    assert_eq!(start, seen.images[0].pixels);
    let svg = seen.excited_picture().unwrap().unwrap().to_svg();
    assert!(svg.contains("by gradient ascent from image 0"), "{svg}");

    let named = |names: Vec<String>| refused(Look::new(&bundle, images(1)).with_maps(names));
    assert!(named(vec!["relu9".into()]).starts_with("`small` has no layer named `relu9`; its"));
    assert_eq!(named(vec!["fc1".into()]), "layer `fc1` of `small`: it gives features, not maps");
    let told = refused(Look::new(&bundle, images(1)).with_channels(Some(0)));
    assert!(told.ends_with("expected 1 channel a layer or more, got 0"), "{told}");
    let told = named(vec!["relu1".into(); 21]);
    assert_eq!(told, "the number of layers whose maps are shown is 21, but must be at most 20");
}

#[test]
fn a_class_is_named_or_numbered_and_an_unknown_one_is_told_those_that_there_are() {
    let bundle = bundle(small());
    assert_eq!(class_of(&bundle, "coat").unwrap(), 1);
    assert_eq!(class_of(&bundle, "2").unwrap(), 2);
    let told = |text: &str| class_of(&bundle, text).unwrap_err().to_string();
    assert_eq!(told("3"), "class is 3, but must be 0 to 2, or one of bag, coat, <script>");
    assert!(told("\u{1b}[2J").starts_with("class is \\u{1b}[2J, but"));
    assert!(told(&"long ".repeat(100)).len() < 120);
    let none = Bundle::from_parts(bundle.network().clone(), Vec::new(), vec![0.3], vec![0.35]);
    let told = class_of(&none, "0").unwrap_err().to_string();
    assert_eq!(told, "class is 0, but must be one of the bundle's, which has none");
}

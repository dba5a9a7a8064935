//! Names of other sources, of wrappers and of the user.

use super::*;
use crate::weights::{
    self, InputChannels, LoadOptions, Rename, inspect, inspect_bytes, save_state,
};
use crate::{
    EfficientNetLite, MobileNetV2, ModelError, ResNet, TransferCnn, Vgg, catalog, state,
    weights::FitKind,
};

/// Names and shapes of real state dicts, `# title` before each: tests/python/other_sources.py wrote them.
const NAMES: &str = include_str!("../../../tests/data/names.txt");

/// A file of as many zeros under the names and in the shapes of a state dict of `names.txt`.
fn recorded(title: &str, folder: &Path) -> PathBuf {
    let (_, rest) = NAMES.split_once(&format!("# {title}\n")).unwrap();
    let lines = rest.lines().take_while(|line| !line.starts_with('#'));
    let mut entries = Vec::new();
    let mut end = 0;
    for line in lines {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let shape: Vec<usize> = words.map(|word| word.parse().unwrap()).collect();
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        entries.push(format!(
            r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    let path = folder.join("recorded.safetensors");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat())
        .unwrap();
    // The values are a hole.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len((8 + header.len() + end) as u64).unwrap();
    path
}

/// A file of [`tiny`]'s values under other names, and of what else there is.
fn tiny_named(name: impl Fn(&str) -> String, others: &[&str], folder: &Path) -> PathBuf {
    let mut state: crate::state::State =
        expected().into_iter().map(|(old, data)| (name(&old), data)).collect();
    for other in others {
        state.insert(other.to_string(), TensorData::new(vec![1.0f32], [1]));
    }
    let path = folder.join("named.safetensors");
    save_state(&path, &state).unwrap();
    path
}

#[test]
fn names_and_shapes_of_other_sources_fit_the_networks_they_are_of() {
    let folder = tempfile::tempdir().unwrap();
    let resnet18 = ResNet::resnet18(10).architecture().unwrap();
    let vgg = Vgg::vgg11(10).with_batch_norm().architecture().unwrap();
    let cifar = ResNet::resnet18_cifar_avg(10).architecture().unwrap();
    let mobilenet = MobileNetV2::new(10).architecture();
    let lite = EfficientNetLite::lite0(10).architecture().unwrap();
    for (title, source, architecture) in [
        ("pytorch-cifar resnet18", "pytorch-cifar", cifar),
        ("timm vgg11_bn", "timm", vgg),
        ("Hugging Face resnet18", "Hugging Face", resnet18),
        ("timm mobilenetv2_100", "timm", mobilenet),
        ("timm tf_efficientnet_lite0", "timm", lite),
    ] {
        let file = inspect(recorded(title, folder.path())).unwrap();
        let fit = file.fits(&architecture);
        assert_eq!((fit.kind, &fit.sources[..]), (FitKind::Exact, &[source][..]), "{title}");
        assert_eq!(fit.architecture, architecture);
        let best = &file.best_fits(&catalog())[0];
        assert_eq!(best.kind, FitKind::Exact, "{title}");
        assert!(best.to_string().contains(&format!(", by the names of {source}")), "{best}");
    }
}

#[test]
fn networks_that_differ_in_padding_alone_are_both_told() {
    let folder = tempfile::tempdir().unwrap();
    // timm gives both the same names, and the file does not say which of them was trained.
    for title in ["timm tf_efficientnet_lite0", "timm efficientnet_lite0"] {
        let fits = inspect(recorded(title, folder.path())).unwrap().best_fits(&catalog());
        let exact = fits.iter().filter(|fit| fit.kind == FitKind::Exact);
        let exact: Vec<(&str, &[&str])> =
            exact.map(|fit| (fit.architecture.name.as_str(), &fit.sources[..])).collect();
        let expected: [(&str, &[&str]); 2] =
            [("efficientnet_lite0", &["timm"]), ("efficientnet_lite0_timm", &[])];
        assert_eq!(exact, expected, "{title}");
    }
}

#[test]
fn vgg_of_pytorch_cifar_has_its_own_network() {
    let folder = tempfile::tempdir().unwrap();
    let fits =
        inspect(recorded("pytorch-cifar vgg11", folder.path())).unwrap().best_fits(&catalog());
    assert_eq!((fits[0].kind, &fits[0].also[..]), (FitKind::Exact, &[][..]));
    assert_eq!(
        fits[0].architecture,
        Vgg::vgg11(10).with_batch_norm().for_cifar().architecture().unwrap()
    );
}

#[test]
fn a_source_does_not_prove_which_of_two_networks_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = inspect(recorded("pytorch-cifar resnet18", folder.path())).unwrap();
    let fits = file.best_fits(&catalog());
    let names = |fits: &[weights::Fit]| -> Vec<String> {
        let exact = fits.iter().filter(|fit| fit.kind == FitKind::Exact);
        exact.map(|fit| fit.architecture.name.clone()).collect()
    };
    assert_eq!(names(&fits), ["resnet18_cifar", "resnet18_cifar_avg"]);
    assert_eq!(fits[0].also, ["resnet18_cifar_avg"]);
}

#[test]
fn parameters_are_found_whatever_wraps_them() {
    let folder = tempfile::tempdir().unwrap();
    let before = |prefix: &'static str| move |name: &str| format!("{prefix}{name}");
    type Case = (&'static str, Box<dyn Fn(&str) -> String>, &'static [&'static str]);
    let all: [Case; 9] = [
        ("parallel", Box::new(before("module.")), &[]),
        ("averaged", Box::new(before("module.")), &["n_averaged"]),
        ("compiled", Box::new(before("model._orig_mod.")), &["criterion.weight"]),
        ("Lightning", Box::new(before("net.model.module.")), &["loss_fn.pos_weight"]),
        ("counted", Box::new(before("")), &["conv1.total_params", "total_ops"]),
        (
            "a part compiled",
            Box::new(|name| name.replace("conv1.", "conv1._orig_mod.")),
            &["n_averaged"],
        ),
        ("a part parallel", Box::new(|name| name.replace("fc1.", "fc1.module.")), &[]),
        (
            "a head of its own",
            Box::new(|name| match name.starts_with("fc2") {
                true => name.into(),
                false => format!("backbone.{name}"),
            }),
            &[],
        ),
        (
            "statistics without",
            Box::new(|name| match name.contains("running") {
                true => name.into(),
                false => format!("model.{name}"),
            }),
            &[],
        ),
    ];
    for (what, name, others) in all {
        let path = tiny_named(name, others, folder.path());
        let file = inspect(&path).unwrap();
        let fit = file.fits(&tiny());
        assert_eq!(fit.kind, FitKind::Exact, "{what}: {fit}");
        let mut left_out = fit.left_out.clone();
        left_out.sort();
        assert_eq!(left_out, others, "{what}");
        assert!(others.iter().all(|other| fit.to_string().contains(other)), "{fit}");
        let loaded = network(&tiny(), 0).load(&path).unwrap();
        assert_eq!(state::read(&loaded), expected(), "{what}");
    }
}

#[test]
fn what_could_be_a_parameter_is_unexpected_still() {
    let folder = tempfile::tempdir().unwrap();
    for other in ["normalize.mean", "head.weight", "bn2.num_batches_tracked", "criterion"] {
        let path = tiny_named(|name| format!("module.{name}"), &[other], folder.path());
        let error = network(&tiny(), 0).load(&path).unwrap_err();
        let ModelError::Mismatch { missing, unexpected, .. } = error else { panic!("{error}") };
        assert_eq!((missing.len(), unexpected), (0, vec![other.to_string()]));
    }
}

#[test]
fn a_network_whose_own_layers_are_called_like_wrappers_takes_its_file() {
    let own = Architecture::new("own", [1, 4, 4])
        .conv("model.encoder", 2, 3, 0)
        .flatten()
        .linear("model.module.fc", 3);
    let saved = network(&own, 1);
    let bytes = saved.to_safetensors_bytes().unwrap();
    let loaded = network(&own, 2).load_bytes(&bytes).unwrap();
    assert_eq!(state::read(&loaded), state::read(&saved));
    // In the list they are without: there is no saying whose they are.
    let names: Vec<String> =
        inspect_bytes(&bytes).unwrap().tensors.into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["encoder.bias", "encoder.weight", "fc.bias", "fc.weight"]);
}

fn rules(texts: &[&str]) -> Vec<Rename> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn names_follow_the_users_rules_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let name =
        |name: &str| format!("net.{}", name.replace("fc", "dense_").replace("bn1", "norm.0"));
    let path = tiny_named(name, &[], folder.path());
    let file = inspect(&path).unwrap();
    assert!(matches!(file.load_into(network(&tiny(), 0)), Err(ModelError::Mismatch { .. })));
    let rename = rules(&["dense_*=linear*", "linear=fc", "norm.*=bn+"]);
    // The second rule is a slip: `linear1` is another part than `linear`.
    let options = LoadOptions { rename, ..LoadOptions::default() };
    let error = file.load_with(network(&tiny(), 0), &options).unwrap_err().to_string();
    assert!(error.ends_with("no name follows the rule `linear=fc`"), "{error}");

    let rename = rules(&["dense_*=linear*", "linear*=fc*", "norm.*=bn+"]);
    let options = LoadOptions { rename: rename.clone(), ..LoadOptions::default() };
    let (loaded, report) = file.load_with(network(&tiny(), 0), &options).unwrap();
    assert_eq!(state::read(&loaded), expected());
    assert_eq!(report.to_string(), "taken 10: bn1, conv1, fc1, fc2");
    let renamed = inspect(&path).unwrap().renamed(&rename).unwrap();
    assert_eq!(renamed.tensors[0].name, "bn1.bias");
    assert_eq!(state::read(&renamed.load_into(network(&tiny(), 0)).unwrap()), expected());
}

#[test]
fn two_tensors_that_would_get_one_name_are_both_named() {
    let error = inspect(data("tiny.safetensors")).unwrap().renamed(&rules(&["fc*=fc"]));
    let message = error.unwrap_err().to_string();
    let end = "`fc1.bias` and `fc2.bias` both become `fc.bias` by the rule `fc*=fc`";
    assert!(message.ends_with(end), "{message}");
}

#[test]
fn what_fits_is_taken_in_part_and_the_rest_reported() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| name.replace("fc1", "dense");
    let path = tiny_named(name, &["n_averaged", "extra.bias"], folder.path());
    let other = Architecture::new("other", [1, 8, 8])
        .conv("conv1", 3, 3, 1)
        .batch_norm("bn1")
        .max_pool(2)
        .flatten()
        .linear("fc1", 5)
        .linear("fc2", 3);
    let fresh = network(&other, 3);
    let drawn = state::read(&fresh);
    let (loaded, report) = inspect(&path).unwrap().load_partial_into(fresh).unwrap();
    let text = "taken 6: bn1, conv1\n\
                missing 2: fc1\n\
                of another shape 2: fc2\n\
                unexpected 3: dense.bias, dense.weight, extra.bias\n\
                left out, no parameters 1: n_averaged";
    assert_eq!(report.to_string(), text);
    assert_eq!(report.shapes[0], ("fc2.weight".into(), vec![3, 5], vec![4, 5]));
    for (name, values) in state::read(&loaded) {
        let from = if name.starts_with("fc") { &drawn } else { &expected() };
        assert_eq!(values, from[&name], "{name}");
    }
    let strange = Architecture::new("strange", [1, 8, 8]).conv("strange", 1, 3, 0);
    let error = inspect(&path).unwrap().load_partial_into(network(&strange, 0)).unwrap_err();
    assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
}

#[test]
fn a_grey_image_gives_the_same_as_the_image_of_three_equal_channels() {
    let grey = TransferCnn::new(5).architecture();
    let color = TransferCnn::new(5).with_input([3, 28, 28]).architecture();
    let pixels: Vec<f32> = (0..28 * 28).map(|i| (i * 37 % 256) as f32 / 256.0).collect();
    let one = Tensor::<4>::from_data(TensorData::new(pixels, [1, 1, 28, 28]), &Device::flex());
    let three = one.clone().repeat_dim(1, 3);
    let outputs = |network: &Network, images: &Tensor<4>| -> Vec<f32> {
        network.forward(images.clone()).into_data().try_to_vec().unwrap()
    };
    for (from, from_image, to, to_image) in
        [(&color, &three, &grey, &one), (&grey, &one, &color, &three)]
    {
        let source = network(from, 1);
        let bytes = source.to_safetensors_bytes().unwrap();
        let file = inspect_bytes(&bytes).unwrap();
        let load = |input_channels| {
            let options = LoadOptions { input_channels, ..LoadOptions::default() };
            file.network(to, &options, &Device::flex())
        };
        assert!(matches!(load(InputChannels::Refuse), Err(ModelError::Mismatch { .. })));
        let (sum, report) = load(InputChannels::Sum).unwrap();
        for (found, expected) in outputs(&sum, to_image).iter().zip(outputs(&source, from_image)) {
            assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
        }
        assert!(
            report.to_string().lines().last().unwrap().starts_with("conv1.weight is "),
            "{report}"
        );
        let (mean, _) = load(InputChannels::Mean).unwrap();
        let [sum, mean] = [&sum, &mean].map(|network| {
            state::read(network)["conv1.weight"].clone().try_to_vec::<f32>().unwrap()
        });
        // Three to one: a third of the sum. One to three: three times what is divided.
        let factor = if std::ptr::eq(from, &color) { 1.0 / 3.0 } else { 3.0 };
        for (mean, sum) in mean.iter().zip(&sum) {
            assert!((mean - sum * factor).abs() < 1e-6, "{mean} for {sum}");
        }
    }
}

#[test]
fn a_message_about_a_file_of_many_tensors_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.safetensors");
    let name = |i: usize| format!("{}{i}.weight", "long".repeat(100));
    let state = (0..1000).map(|i| (name(i), TensorData::new(vec![0.0f32], [1]))).collect();
    save_state(&path, &state).unwrap();
    let message = network(&tiny(), 0).load(&path).unwrap_err().to_string();
    assert!(message.contains(" and 988 others") && message.len() < 2500, "{}", message.len());
}

use super::*;
use crate::plot::testing::Pixels;

fn image(name: &str) -> SheetImage<'static> {
    SheetImage { pixels: &[0, 80, 160, 255], shape: [1, 2, 2], caption: vec![name.into()] }
}

fn layer(name: &str, shape: [usize; 4], value: impl Fn(usize) -> f32) -> LayerMaps {
    let values = (0..shape.iter().product()).map(value).collect();
    LayerMaps { name: name.into(), shape, values }
}

#[test]
fn the_maps_of_all_images_have_one_scale_a_layer_and_the_bar_shows_its_ends() {
    // The second image is ten times as bright: of 0 to 20, its last pixel has the lightest colour.
    let values = vec![0.0, 1.0, 2.0, 1.0, 0.0, 10.0, 20.0, 10.0];
    let bright = LayerMaps { name: "relu1".into(), shape: [2, 1, 2, 2], values };
    let signed = layer("conv2", [2, 1, 1, 1], |i| -0.25 + i as f32);
    let images = vec![image("coat"), image("bag")];
    let maps = FeatureMaps { images, layers: vec![bright, signed], channels: 6 };
    let first = maps.picture_of(0, "", None).unwrap();
    let second = maps.picture_of(1, "", None).unwrap();
    // Image, bar and map of the first layer, then those of the second.
    let color = |picture: &Picture, inset: usize, pixel: usize| {
        let rgb = &picture.insets[inset].raster.rgb[3 * pixel..3 * pixel + 3];
        (rgb[0], rgb[1], rgb[2])
    };
    assert_eq!(color(&first, 2, 0), viridis(0.0));
    assert_eq!(color(&first, 2, 2), viridis(26.0 / 255.0));
    assert_eq!(color(&second, 2, 2), viridis(1.0));
    assert_eq!(color(&second, 2, 1), viridis(128.0 / 255.0));
    assert_eq!([color(&first, 1, 0), color(&first, 1, 255)], [viridis(1.0), viridis(0.0)]);
    for text in [">20<", ">0<", ">-0.25<", ">0.75<", ">relu1: 1 channel, 2 × 2<", ">coat<"] {
        assert!(first.to_svg().contains(text), "{text}");
    }
}

#[test]
fn maps_of_any_size_are_drawn_at_one_size_and_nothing_is_clipped() {
    let sides = [28, 14, 7, 24, 11, 1, 300];
    let layers = sides
        .iter()
        .map(|&side| layer(&format!("layer{side}"), [2, 3, side, side], |i| (i % 7) as f32));
    let images = vec![image("coat"), image(&"long name $ <b>".repeat(9))];
    let maps = FeatureMaps { images, layers: layers.collect(), channels: 2 };
    let title = "Title ".repeat(40);
    // Two maps in each of seven layers; of both images, which are as large as their maps.
    for (picture, side, squares) in [
        (maps.picture_of(1, &title, Some("below")).unwrap(), LARGE[1], 7 * 2),
        (maps.picture(&title, Some("below")).unwrap(), SMALL[1], 7 * 2 * (1 + 2)),
    ] {
        let drawn = picture.insets.iter().filter(|inset| inset.size == (side, side));
        assert_eq!(drawn.count(), squares);
        assert!(Pixels::new(&picture).border_is_clear());
        assert!(!picture.to_svg().contains("<b>"));
    }
    let sheet = maps.picture("", None).unwrap();
    // A bar, and for each image itself and two maps, in every layer.
    assert_eq!(sheet.insets.len(), sides.len() * (1 + 2 * 3));
    assert!(sheet.to_svg().contains(">layer28: 2 of 3 channels, 28 × 28<"));
}

#[test]
fn all_channels_of_a_layer_are_drawn_in_rows_of_sixteen_on_one_scale() {
    let layers = vec![
        layer("relu1", [2, 40, 3, 3], |i| (i % 9) as f32),
        layer("relu2", [2, 5, 3, 3], |i| i as f32),
    ];
    let images = vec![image("coat"), image("bag")];
    let maps = FeatureMaps { images, layers, channels: usize::MAX };
    let one = maps.picture_of(0, "Title", Some("below")).unwrap();
    let both = maps.picture("Title", Some("below")).unwrap();
    for (picture, images) in [(&one, 1), (&both, 2)] {
        let svg = picture.to_svg();
        assert!(svg.contains(">relu1: 40 channels, 3 × 3<"));
        // The numbers of a layer of several rows stand above each of them, of one row above its first.
        assert_eq!(svg.matches(">39<").count(), images);
        assert_eq!(svg.matches(">4<").count(), 1 + images);
        assert!(Pixels::new(picture).border_is_clear());
    }
    let maps = one.insets.iter().filter(|inset| inset.size == (SMALL[1], SMALL[1]));
    let tops: Vec<f64> = maps.map(|inset| inset.at.1).collect();
    assert_eq!(tops.len(), 45);
    let rows: Vec<usize> = tops.chunk_by(|a, b| a == b).map(<[f64]>::len).collect();
    assert_eq!(rows, [16, 16, 8, 5]);
    assert!(tops.is_sorted());
}

#[test]
fn maps_that_are_0_everywhere_have_the_darkest_colour() {
    let maps = FeatureMaps {
        images: vec![image("coat")],
        layers: vec![layer("relu1", [1, 2, 3, 4], |_| 0.0)],
        channels: 16,
    };
    let picture = maps.picture_of(0, "", None).unwrap();
    let (red, green, blue) = viridis(0.0);
    assert_eq!(picture.insets[2].raster.rgb, [red, green, blue].repeat(12));
    // Wider than high.
    assert_eq!(picture.insets[2].size, (LARGE[1], 0.75 * LARGE[1]));
}

#[test]
fn what_cannot_be_drawn_is_refused_on_one_line() {
    let good = || FeatureMaps {
        images: vec![image("coat")],
        layers: vec![layer("relu1", [1, 2, 2, 2], |i| i as f32)],
        channels: 6,
    };
    let message = |maps: FeatureMaps<'_>| {
        let error = maps.picture("", None).unwrap_err().to_string();
        error.strip_prefix("cannot draw the feature maps: ").unwrap().to_owned()
    };
    let none = FeatureMaps { images: Vec::new(), ..good() };
    assert_eq!(message(none), "expected 1 to 20 images, got 0");
    let many = FeatureMaps { layers: vec![layer("a", [1; 4], |_| 0.0); 21], ..good() };
    assert_eq!(message(many), "expected 1 to 20 layers, got 21");
    let none = FeatureMaps { channels: 0, ..good() };
    assert_eq!(message(none), "expected 1 channel a layer or more, got 0");
    let layers = vec![layer("a", [1, 1025, 1, 1], |_| 0.0); 2];
    let many = FeatureMaps { layers, channels: usize::MAX, ..good() };
    let told = "expected at most 2048 maps, got 2050: take fewer channels or layers";
    assert_eq!(message(many), told);
    let with = |shape, values| {
        let layers = vec![LayerMaps { name: "a\n\u{1b}".into(), shape, values }];
        message(FeatureMaps { layers, ..good() })
    };
    let name = "a\\n\\u{1b}";
    let shape = "[1, 2, 1, 1]";
    assert_eq!(with([1, 2, 1, 1], vec![0.0]), format!("{name} has 1 values for the shape {shape}"));
    assert_eq!(with([2, 1, 1, 1], vec![0.0; 2]), format!("{name} is of 2 images, not 1"));
    let nan = vec![f32::NAN];
    assert_eq!(with([1; 4], nan), format!("{name} has values that are not finite"));
    assert!(with([usize::MAX; 4], vec![0.0]).contains("has 1 values"));
    let error = good().picture_of(1, "", None).unwrap_err().to_string();
    assert!(error.ends_with("there is no image 1 of 1"), "{error}");
    let damaged = SheetImage { shape: [2, 1, 2], ..image("coat") };
    let damaged = FeatureMaps { images: vec![damaged], ..good() };
    assert_eq!(message(damaged), "image 0 has 4 values for the shape [2, 1, 2]");
}

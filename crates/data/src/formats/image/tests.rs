use std::path::{Path, PathBuf};

use image::{ImageBuffer, ImageFormat, Luma, Rgb};

use super::*;

/// Written by `tests/images/make.py`, which also printed the numbers below.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(name)
}

/// The pixels in the middle of the quarters of an image of 20 × 12.
fn corners(name: &str) -> [[u8; 3]; 4] {
    let pixels = ImageReader::new([3, 12, 20])
        .unwrap()
        .with_resize(Resize::Stretch)
        .unwrap()
        .read(file(name))
        .unwrap();
    [(5, 3), (15, 3), (5, 9), (15, 9)]
        .map(|(x, y)| [0, 1, 2].map(|channel| pixels[channel * 240 + y * 20 + x]))
}

const EXACT: [[u8; 3]; 4] = [[250, 10, 20], [30, 240, 40], [50, 60, 230], [255; 3]];

#[test]
fn files_without_loss_have_the_pixels_that_pil_reads() {
    for name in [
        "rgb.png",
        "rgb.bmp",
        "rgb.tiff",
        "lossless.webp",
        "palette.png",
        "turned.png",
        "frames.gif",
        "frames.webp",
        "pages.tiff",
        "cmyk.tiff",
    ] {
        assert_eq!(corners(name), EXACT, "{name}");
    }
    assert_eq!(corners("bilevel.png"), [[0; 3], [255; 3], [0; 3], [255; 3]]);
}

#[test]
fn alpha_is_dropped_and_nothing_is_put_behind_the_image() {
    assert_eq!(corners("alpha.png"), EXACT);
    assert_eq!(corners("palette_alpha.png"), EXACT);
    assert_eq!(corners("grey_alpha.png"), [[83; 3], [154; 3], [76; 3], [255; 3]]);
}

#[test]
fn files_with_loss_have_the_pixels_that_pil_reads_but_for_rounding() {
    for (name, expected) in [
        ("rgb.jpg", [[251, 11, 22], [26, 239, 37], [49, 60, 230], [254, 255, 253]]),
        ("lossy.webp", [[250, 9, 22], [34, 239, 42], [50, 61, 230], [255, 254, 255]]),
        ("cmyk.jpg", [[251, 10, 20], [30, 242, 39], [50, 60, 230], [255, 255, 255]]),
        ("turned.jpg", [[253, 12, 18], [27, 239, 40], [49, 60, 228], [255, 255, 255]]),
        ("progressive.jpg", [[251, 11, 22], [26, 239, 37], [49, 60, 230], [254, 255, 253]]),
    ] {
        let found = corners(name);
        let differ = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 3;
        let differ = found.as_flattened().iter().zip(expected.as_flattened()).any(differ);
        assert!(!differ, "{name}: {found:?}, not {expected:?}");
    }
}

#[test]
fn sixteen_bits_become_the_upper_eight() {
    // Every value was 256 times the grey and 255.
    assert_eq!(corners("grey16.png"), [[83; 3], [154; 3], [76; 3], [255; 3]]);
}

#[test]
fn one_channel_is_the_luma_of_pil() {
    for name in ["rgb.png", "grey.png", "grey_alpha.png", "grey16.png", "alpha.png", "palette.png"]
    {
        let pixels = ImageReader::new([1, 2, 2]).unwrap().with_resize(Resize::Stretch).unwrap();
        let reader = ImageReader::new([1, 12, 20]).unwrap().with_resize(Resize::Stretch).unwrap();
        assert_eq!(pixels.read(file(name)).unwrap().len(), 4);
        let pixels = reader.read(file(name)).unwrap();
        let found = [(5, 3), (15, 3), (5, 9), (15, 9)].map(|(x, y)| pixels[y * 20 + x]);
        assert_eq!(found, [83, 154, 76, 255], "{name}");
    }
}

fn message(bytes: &[u8]) -> String {
    ImageReader::new([3, 8, 8]).unwrap().read_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn files_that_are_no_images_are_told_by_what_they_are() {
    let other = "image: not a PNG, JPEG, BMP, WebP, GIF or TIFF file";
    assert_eq!(message(b""), "image: an empty file");
    assert_eq!(message(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), other);
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0";
    assert_eq!(message(heic), "image: an HEIC, AVIF or video file: convert it to PNG or JPEG");
    let float = std::fs::read(file("float.tiff")).unwrap();
    assert!(message(&float).contains("Tiff does not support"), "{}", message(&float));
}

#[test]
fn every_file_that_is_cut_off_is_refused() {
    for name in [
        "rgb.png",
        "rgb.bmp",
        "rgb.tiff",
        "rgb.jpg",
        "grey.jpg",
        "progressive.jpg",
        "turned.jpg",
        "cmyk.jpg",
        "lossless.webp",
        "lossy.webp",
        "frames.gif",
    ] {
        let bytes = std::fs::read(file(name)).unwrap();
        let reader = ImageReader::new([3, 8, 8]).unwrap();
        assert!(reader.read_bytes(&bytes).is_ok());
        // The last bytes of a PNG and half of this small GIF are of what comes after the image; WebP's
        // arithmetic decoder reads ahead by up to three bytes.
        let most = match name.rsplit('.').next() {
            Some("png") => bytes.len() - 12,
            Some("gif") => bytes.len() / 2,
            Some("webp") => bytes.len() - 4,
            _ => bytes.len() - 1,
        };
        let whole: Vec<_> =
            (0..most).filter(|&end| reader.read_bytes(&bytes[..end]).is_ok()).collect();
        assert!(whole.is_empty(), "{name} of {} is read when cut at {whole:?}", bytes.len());
    }
}

#[test]
fn a_file_that_is_cut_off_is_said_to_be_so_in_plain_words() {
    for name in ["rgb.png", "rgb.bmp", "rgb.tiff", "rgb.jpg", "lossless.webp", "frames.gif"] {
        let bytes = std::fs::read(file(name)).unwrap();
        for end in [bytes.len() / 3, bytes.len() / 2, bytes.len() * 3 / 4] {
            let reader = ImageReader::new([3, 8, 8]).unwrap();
            let Err(error) = reader.read_bytes(&bytes[..end]) else { continue };
            let text = error.to_string();
            assert!(!text.contains("buffer"), "{name} to {end}: {text}");
            assert_eq!(text, text.trim_end(), "{name} to {end}");
        }
    }
    for name in ["rgb.bmp", "rgb.tiff"] {
        let bytes = std::fs::read(file(name)).unwrap();
        let expected = "image: cut off: the file ends in the middle of the image";
        assert_eq!(message(&bytes[..bytes.len() - 9]), expected, "{name}");
    }
}

#[test]
fn changed_bytes_of_any_file_never_end_the_program_and_give_one_short_line() {
    let reader = ImageReader::new([1, 8, 8]).unwrap();
    for entry in std::fs::read_dir(file("")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len().min(400) {
            for change in [0x01, 0x80, 0xFF] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                if let Err(error) = reader.read_bytes(&changed) {
                    let text = error.to_string();
                    assert!(!text.contains('\n') && text.len() < 900, "{}: {text}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_small_file_of_a_huge_image_is_refused_before_it_is_decoded() {
    // A PNG's header is followed by its checksum; the reader asks for both before it sets anything aside.
    let bytes = png(&ImageBuffer::from_pixel(2000, 1000, Luma([7u8])));
    let reader = ImageReader::new([1, 8, 8]).unwrap();
    assert!(reader.read_bytes(&bytes).is_ok());
    let few = reader.clone().with_max_pixels(1_999_999).read_bytes(&bytes).unwrap_err();
    assert_eq!(few.to_string(), "image: 2000 × 1000 pixels, more than the limit of 1999999");
    let few = reader.clone().with_max_bytes(1_999_999).read_bytes(&bytes).unwrap_err();
    assert_eq!(
        few.to_string(),
        "image: 2000 × 1000 pixels take more than 1999999 bytes, the limit"
    );
    // 70,000 pixels in a row.
    let long = png(&ImageBuffer::from_pixel(70_000, 1, Luma([7u8])));
    assert!(reader.read_bytes(&long).is_err());
}

#[test]
fn a_file_beyond_the_limit_and_what_is_no_file_are_refused_before_they_are_read() {
    let reader = ImageReader::new([3, 8, 8]).unwrap();
    let path = file("rgb.bmp");
    let error = reader.clone().with_max_bytes(773).read(&path).unwrap_err();
    assert!(error.to_string().ends_with("rgb.bmp: longer than 773 bytes, the limit"), "{error}");
    assert_eq!(error.path(), Some(path.as_path()));
    assert!(reader.read(file("")).unwrap_err().to_string().contains("directory"));
    #[cfg(unix)]
    assert_eq!(reader.read("/dev/zero").unwrap_err().to_string(), "/dev/zero: not a file");
}

fn png<P, C>(image: &ImageBuffer<P, C>) -> Vec<u8>
where
    P: image::PixelWithColorType,
    [P::Subpixel]: image::EncodableLayout,
    C: std::ops::Deref<Target = [P::Subpixel]>,
{
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// `waves` of `make.py`.
fn waves(width: u32, height: u32) -> Vec<u8> {
    png(&ImageBuffer::from_fn(width, height, |x, y| {
        Rgb([0, 50, 100].map(|c| ((x * 7 + y * 13 + c + x * y % 31) % 256) as u8))
    }))
}

/// Asserts that the image has these values, but for one of 255.
#[track_caller]
fn assert_resized(shape: [usize; 3], resize: Resize, image: &[u8], expected: &[u8]) {
    let reader = ImageReader::new(shape).unwrap().with_resize(resize).unwrap();
    let found = reader.read_bytes(image).unwrap();
    assert_eq!(found.len(), expected.len());
    let most = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(most <= Some(1), "{found:?}");
}

// The numbers are those that `make.py` prints: torchvision's Resize and CenterCrop of PIL images.
#[test]
fn resized_and_cropped_images_are_those_of_torchvision() {
    let expected = [
        78, 117, 161, 180, 130, 77, 91, 133, 150, 180, 146, 87, 81, 120, 166, 178, 166, 98, 76,
        111, 156, 182, 141, 81, 74, 99, 143, 183, 154, 92, 77, 114, 131, 171, 167, 108, 78, 101,
        146, 181, 177, 124, 75, 93, 138, 176, 169, 103, 78, 85, 127, 169, 177, 126, 77, 98, 114,
        158, 171, 121, 79, 86, 130, 174, 121, 164, 175, 118, 75, 92, 137, 175, 179, 139, 77, 84,
        126, 167, 174, 117, 92, 79, 115, 158, 181, 139, 77, 88, 101, 148, 184, 149, 77, 78, 119,
        163, 177, 162, 103, 76, 107, 151, 175, 142, 116, 76, 97, 143, 180, 166, 98, 77, 86, 131,
        172, 169, 109, 73, 102, 147, 162, 170, 125, 74, 92, 134, 172, 171, 169, 174, 115, 76, 98,
        140, 177, 158, 141, 79, 88, 131, 171, 169, 105, 72, 80, 119, 163, 176, 121, 75, 92, 135,
        151, 182, 144, 78, 81, 121, 169, 180, 153, 107, 75, 111, 156, 183, 143, 90, 72, 102, 147,
        180, 151, 90, 80, 118, 134, 174, 164, 106, 73, 105, 151, 181, 180, 122, 73, 96, 141, 174,
        161, 103,
    ];
    assert_resized([3, 8, 8], Resize::ShorterSide(10), &waves(97, 61), &expected);
    let expected = [
        170, 157, 106, 88, 113, 159, 167, 134, 102, 78, 113, 158, 172, 129, 81, 96, 113, 155, 171,
        127, 83, 93, 137, 173, 175, 144, 90, 90, 132, 170, 145, 97, 89, 88, 129, 167, 163, 108, 77,
        110, 126, 167, 161, 109, 81, 106, 152, 171, 164, 101, 81, 117, 160, 167, 128, 77, 85, 116,
        160, 169, 129, 81, 98, 143, 160, 175, 133, 84, 93, 140, 172, 150, 135, 85, 93, 136, 170,
        149, 97, 81, 93, 131, 171, 174, 115, 77, 112, 157, 170, 164, 111, 86, 108, 153, 169, 129,
        84, 81, 119, 162, 166, 125, 78, 101, 120, 162, 167, 121, 78, 102, 146, 174, 173, 124, 83,
        97, 140, 172, 149, 94, 84, 94, 139, 174, 160, 98, 83, 120, 138, 171, 158, 106, 79, 115,
        159, 179, 150, 98, 83, 111, 155, 171, 124, 85,
    ];
    assert_resized([3, 6, 8], Resize::ShorterSide(9), &waves(61, 98), &expected);
    let expected = [
        41, 44, 48, 53, 57, 62, 66, 46, 49, 53, 58, 63, 68, 72, 53, 57, 62, 67, 72, 77, 82, 61, 65,
        70, 75, 81, 86, 91, 68, 72, 78, 83, 89, 94, 100, 75, 79, 86, 92, 98, 103, 110, 80, 84, 91,
        97, 103, 109, 116,
    ];
    assert_resized([1, 7, 7], Resize::ShorterSide(7), &waves(5, 4), &expected);
}

#[test]
fn stretched_images_are_those_of_torchvision() {
    let expected = [
        124, 156, 116, 104, 150, 142, 102, 134, 159, 134, 105, 132, 147, 112, 115, 149, 129, 105,
        126, 155, 127, 108, 146, 137, 105, 131, 157, 124, 106, 136, 144, 109, 120, 151, 121, 109,
        131, 149, 113, 111, 146, 136, 107, 135, 149, 129, 100, 137, 148, 96, 116, 160, 125, 95,
        153, 132, 96, 135, 150, 101, 115, 157, 135, 104, 117, 149, 122, 106, 142, 139, 107, 123,
        152, 129, 102, 133, 144, 110, 116, 146, 123, 110, 123, 149, 119, 110, 145, 135, 104, 125,
        152, 132, 104, 136, 143, 108, 123, 150, 127, 99, 120, 164, 112, 102, 150, 134, 98, 125,
        149, 102, 118, 155, 121, 100, 146, 143, 92, 109, 146, 140, 106, 129, 147, 111, 114, 147,
        143, 116, 119, 150, 119, 105, 145, 133, 101, 110, 145, 131, 107, 133, 147, 114, 118, 151,
        141, 106, 124, 148, 119, 108, 146, 134, 104, 107, 154, 138, 99, 136, 157, 104, 114, 161,
    ];
    assert_resized([3, 6, 9], Resize::Stretch, &waves(97, 61), &expected);
}

#[test]
fn an_image_of_the_right_size_is_not_changed_and_a_line_of_pixels_is_no_trouble() {
    let reader = ImageReader::new([3, 9, 9]).unwrap();
    let pixels = reader.read_bytes(&waves(9, 9)).unwrap();
    let expected: Vec<u8> = [0, 50, 100]
        .into_iter()
        .flat_map(|c| {
            (0..81).map(move |i| (i % 9 * 7 + i / 9 * 13 + c + (i % 9) * (i / 9) % 31) as u8)
        })
        .collect();
    assert_eq!(pixels, expected);
    // Resized as a whole, it would have 9 × 540,000 pixels.
    for (width, height) in [(60_000, 1), (1, 60_000)] {
        let line = png(&ImageBuffer::from_pixel(width, height, Luma([77u8])));
        for resize in [Resize::ShorterSide(9), Resize::Stretch] {
            let reader = ImageReader::new([1, 9, 9]).unwrap().with_resize(resize).unwrap();
            assert_eq!(reader.read_bytes(&line).unwrap(), [77; 81]);
        }
    }
}

#[test]
fn shapes_and_sides_that_cannot_be_are_refused() {
    let message = |shape| ImageReader::new(shape).unwrap_err().to_string();
    let expected =
        "shape of images from files: expected 1 or 3 channels and sides of 1 to 65535, found";
    assert_eq!(message([4, 8, 8]), format!("{expected} [4, 8, 8]"));
    assert_eq!(message([3, 0, 8]), format!("{expected} [3, 0, 8]"));
    let small = ImageReader::new([3, 6, 8]).unwrap().with_resize(Resize::ShorterSide(7));
    assert_eq!(
        small.unwrap_err().to_string(),
        "shorter side: expected 8 to 65535 for images of 6 × 8, found 7"
    );
}

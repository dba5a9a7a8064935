//! The page in the browser, as its users have it: they draw, give it files, press keys, and train.
//!
//! Where there is a headless Chromium (`$CHROMIUM`, `chromium`, `chromium-browser` or `google-chrome`) and the page's
//! WebAssembly is built (`cargo run --example web -- --build-only`, or its folder in `$SELVEDGE_PAGE`).

#[path = "../common/browser.rs"]
mod browser;
#[path = "../common/chromium.rs"]
mod chromium;
#[path = "../common/example.rs"]
mod example;
mod site;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use browser::Page;
use selvedge::data::ImageReader;
use selvedge::train::Score;
use serde_json::json;
use site::{Site, bundle, encoded, natively_trained, png, test_images};

/// The probabilities that the page shows.
fn probabilities(page: &mut Page) -> Vec<f64> {
    let shown = page.js("[...document.querySelectorAll('.percent')].map((p) => Number(p.value))");
    shown.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Waits until the answer is another than before; gives it.
fn next_answer(page: &mut Page, before: &[f64]) -> Vec<f64> {
    let before = json!(before);
    page.until(&format!(
        "JSON.stringify([...document.querySelectorAll('.percent')].map((p) => Number(p.value))) !== '{before}'"
    ));
    // What was begun while the last one was computed follows.
    std::thread::sleep(std::time::Duration::from_millis(200));
    probabilities(page)
}

/// The warning that is shown, once there is one.
fn problem(page: &mut Page) -> String {
    page.until("!document.getElementById('problem').hidden");
    let text = page.js("document.getElementById('problem').textContent");
    text.as_str().unwrap().to_owned()
}

#[test]
fn a_picture_has_the_probabilities_that_programs_give_it_to_1e_5() {
    let Some(site) = Site::new() else { return };
    let mut page = site.open([1280, 900]);
    let (bundle, test) = (bundle(1), test_images());
    let mut shown = probabilities(&mut page);
    let photo = image::RgbImage::from_fn(211, 157, |x, y| {
        image::Rgb([(x * 5 % 256) as u8, (y * 7 % 200) as u8, (x * y % 251) as u8])
    });
    // The page begins with the first.
    let mut pictures: Vec<Vec<u8>> = [1, 2, 3, 4, 5].map(|i| png(&test, i)).into();
    pictures.push(encoded(&photo.into()));
    page.js("document.getElementById('background').value = 'as_is'");
    for (i, bytes) in pictures.iter().enumerate() {
        let file = site.file(&format!("picture-{i}.png"), bytes);
        page.give_file("file", &file);
        shown = next_answer(&mut page, &shown);
        let pixels = ImageReader::new([1, 28, 28]).unwrap().read(&file).unwrap();
        let expected = bundle.predict_image(&pixels).unwrap();
        for (ours, theirs) in shown.iter().zip(&expected.probabilities) {
            assert!(
                (ours - f64::from(*theirs)).abs() < 1e-5,
                "picture {i}: {shown:?} {expected:?}"
            );
        }
        let answer = page.js("document.getElementById('answer').textContent");
        assert!(answer.as_str().unwrap().starts_with(&expected.name), "{answer}");
    }
    assert!(page.faults().is_empty(), "{:?}", page.faults());
}

#[test]
fn drawing_with_the_mouse_or_the_keyboard_alone_is_answered_and_looked_into() {
    let Some(site) = Site::new() else { return };
    let mut page = site.open([1280, 900]);
    let sample = probabilities(&mut page);
    page.js("document.getElementById('clear').click()");
    let empty = next_answer(&mut page, &sample);
    let said = page.js("document.getElementById('answer').textContent");
    assert_eq!(said, "Draw something, or choose a picture.");
    let corner = page.js("(() => { const r = document.getElementById('sketch').getBoundingClientRect(); return [r.left, r.top]; })()");
    let [left, top] = [0, 1].map(|i| corner[i].as_f64().unwrap());
    let points = [[60.0, 60.0], [200.0, 70.0], [210.0, 200.0], [70.0, 210.0]];
    page.drag(&points.map(|[x, y]| [left + x, top + y]));
    let drawn = next_answer(&mut page, &empty);
    // The middle of the first line is white.
    let white =
        "document.getElementById('sketch').getContext('2d').getImageData(130, 65, 1, 1).data[0]";
    assert_eq!(page.js(white), 255);

    page.js("document.getElementById('sketch').focus()");
    page.key("Delete", "Delete", 46);
    next_answer(&mut page, &drawn);
    assert_eq!(page.js(white), 0);
    page.key(" ", "Space", 32);
    (0..6).for_each(|_| page.key("ArrowRight", "ArrowRight", 39));
    let typed = next_answer(&mut page, &empty);
    assert!(typed.iter().zip(&empty).any(|(a, b)| (a - b).abs() > 1e-4), "{typed:?} {empty:?}");
    let place = page.js("document.getElementById('sketch').getAttribute('aria-label')");
    assert_eq!(place, "Picture to draw on: pen down, 67 % across, 50 % down");
    assert_eq!(page.js("document.getElementById('pen-mark').style.left"), "67%");

    // Dropped anywhere, the first picture is what it was.
    page.js(
        "(async () => { const data = new DataTransfer();
         data.items.add(new File([await (await fetch('sample-0.png')).blob()], 'sample-0.png'));
         document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true })); })()",
    );
    assert_eq!(next_answer(&mut page, &typed), sample);

    // Maps at a click, by the keyboard: Enter on each button.
    for id in ["saliency", "grad-cam", "maps-button"] {
        page.js(&format!("document.getElementById('{id}').focus()"));
        page.key("Enter", "Enter", 13);
        page.until(&format!(
            "document.getElementById('{id}').getAttribute('aria-pressed') === 'true'"
        ));
    }
    page.until("document.querySelectorAll('#where canvas').length === 2");
    page.until("document.querySelectorAll('#maps canvas').length === 1");
    let labels = page.js(
        "[...document.querySelectorAll('.maps canvas')].map((c) => c.getAttribute('aria-label'))",
    );
    let text = labels.to_string();
    assert!(text.contains("Saliency of ") && text.contains("Grad-CAM of "), "{text}");
    assert!(text.contains("10 maps of layer conv1"), "{text}");
    // Every layer whose output are maps can be chosen.
    let layers = page.js("[...document.getElementById('layer').options].map((o) => o.value)");
    assert_eq!(layers, json!(["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"]));
    page.js("(() => { const l = document.getElementById('layer'); l.value = 'relu2'; l.dispatchEvent(new Event('change')); })()");
    page.until("document.getElementById('maps').innerText.includes('relu2: 20 maps of 14 × 14')");
    assert!(page.faults().is_empty(), "{:?}", page.faults());
}

#[test]
fn a_page_with_no_pictures_to_try_begins_with_an_empty_one() {
    let Some(site) = Site::new() else { return };
    site.without_samples();
    let mut page = site.open([1280, 900]);
    assert_eq!(page.js("document.querySelectorAll('#samples button').length"), 0);
    let before = probabilities(&mut page);
    page.give_file("file", &site.file("picture.png", &png(&test_images(), 3)));
    next_answer(&mut page, &before);
    assert!(page.faults().is_empty(), "{:?}", page.faults());
}

#[test]
fn a_camera_is_answered_live_until_it_is_stopped() {
    let Some(site) = Site::new() else { return };
    let mut page = site.open([1280, 900]);
    let mut before = probabilities(&mut page);
    page.js("document.getElementById('camera').click()");
    for _ in 0..3 {
        before = next_answer(&mut page, &before);
    }
    page.js("document.getElementById('camera').click()");
    page.until("document.getElementById('camera').getAttribute('aria-pressed') === 'false'");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let last = probabilities(&mut page);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(probabilities(&mut page), last);
    assert!(page.faults().is_empty(), "{:?}", page.faults());
}

#[test]
fn damaged_files_and_pictures_that_are_none_are_told_in_one_line_and_the_page_goes_on() {
    let Some(site) = Site::new() else { return };
    let mut page = site.open([1280, 900]);
    let good = bundle(2).to_bytes().unwrap();
    let text = String::from_utf8_lossy(&good).replacen("\"bundle\":\"1\"", "\"bundle\":\"7\"", 1);
    assert!(text.contains("\"bundle\":\"7\""), "the version is in the head of the file");
    let mut other = good.clone();
    let at = good.windows(12).position(|bytes| bytes == b"\"bundle\":\"1\"").unwrap();
    other[at + 10] = b'7';
    let cut = &good[..good.len() / 2];
    let huge = huge_png();
    let cases: [(&str, &str, &[u8], &str); 7] = [
        ("bundle", "later.safetensors", &other, "later.safetensors: a bundle of version 7, not 1"),
        ("bundle", "cut.safetensors", cut, "cut.safetensors: "),
        ("bundle", "photo.safetensors", b"\x89PNG\r\n", "photo.safetensors: "),
        ("bundle", "none.safetensors", b"", "none.safetensors: "),
        (
            "file",
            "text.png",
            b"this is no picture",
            "text.png is no picture that this browser can read",
        ),
        ("file", "none.png", b"", "none.png is no picture that this browser can read"),
        ("file", "huge.png", &huge, "huge.png has 10400 × 10000 pixels: 1 to 100 million"),
    ];
    for (id, name, content, expected) in cases {
        page.js("document.getElementById('problem').hidden = true");
        page.give_file(id, &site.file(name, content));
        let told = problem(&mut page);
        assert!(told.starts_with(expected), "{name}: {told}");
        assert!(told.len() < 300 && !told.contains('\n'), "{name}: {told}");
    }
    // A picture of one pixel is one, and takes the warning away.
    let one = image::GrayImage::from_pixel(1, 1, image::Luma([200]));
    let before = probabilities(&mut page);
    page.give_file("file", &site.file("one.png", &encoded(&one.into())));
    let answered = next_answer(&mut page, &before);
    assert!((answered.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{answered:?}");
    assert_eq!(page.js("document.getElementById('problem').hidden"), true);
    // And another network is taken.
    page.give_file("bundle", &site.file("good.safetensors", &good));
    next_answer(&mut page, &answered);
}

/// A picture of one color, of more than 100 million pixels in few bytes.
fn huge_png() -> Vec<u8> {
    let image = image::GrayImage::from_pixel(10_400, 10_000, image::Luma([0]));
    encoded(&image.into())
}

#[test]
fn a_network_learns_in_the_page_stops_at_a_click_and_is_used() {
    let Some(site) = Site::new() else { return };
    let mut page = site.open([1280, 900]);
    page.js("document.getElementById('train-rate').value = '0.003'");
    page.js("document.getElementById('train-start').click()");
    page.until("/after epoch [3-9]/.test(document.getElementById('train-status').textContent)");
    let told = page.js("[document.getElementById('train-status').textContent,
          document.querySelector('#curves svg').getAttribute('aria-label')].join(' ')");
    // "Training: 3.10 epochs in 2.1 s; 58.5 % of the test images are right after epoch 3. Loss after 3.1 epochs:
    // training 1.2, test 1.3"
    let number = |name: &str| -> f64 {
        let (_, rest) = told.as_str().unwrap().split_once(name).expect(name);
        rest.trim_end_matches('.').split([',', ' ', '\u{a0}']).next().unwrap().parse().unwrap()
    };
    let epochs = number("after epoch ");
    let last = natively_trained(epochs as usize);
    assert!((number(", test ") - last.loss()).abs() < 0.02, "{told} {last:?}");
    // One of 200 images may lie between two classes.
    let accuracy = number("\u{a0}s; ") / 100.0;
    assert!((accuracy - last.accuracy).abs() < 0.0051, "{told} {last:?}");
    // Chance among ten classes has a loss of ln 10 = 2.303.
    assert!(number("training ") < 1.6 && number(", test ") < 1.6, "{told}");
    page.js("document.getElementById('train-stop').click()");
    page.until("document.getElementById('train-stop').disabled");
    page.until("document.getElementById('train-status').textContent.startsWith('Stopped: ')");
    let status = page.js("document.getElementById('train-status').textContent");
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert_eq!(page.js("document.getElementById('train-status').textContent"), status);

    let before = probabilities(&mut page);
    page.js("document.getElementById('train-use').click()");
    next_answer(&mut page, &before);
    // A loss beyond hope is told, and the page goes on.
    page.js("document.getElementById('train-rate').append(new Option('9', '9'))");
    page.js("document.getElementById('train-rate').value = '9'");
    page.js("document.getElementById('train-start').click()");
    let told = problem(&mut page);
    assert!(told.ends_with(": try a lower learning rate"), "{told}");
    page.until("!document.getElementById('train-start').disabled");
    assert!(page.faults().is_empty(), "{:?}", page.faults());
}

#[test]
fn everything_has_a_name_is_reached_by_tab_fits_a_telephone_and_asks_no_other_host() {
    let Some(site) = Site::new() else { return };
    for size in [[390, 844], [1280, 900]] {
        let mut page = site.open(size);
        page.js("document.querySelector('#samples button').click()");
        for id in ["saliency", "grad-cam", "maps-button"] {
            page.js(&format!("document.getElementById('{id}').click()"));
        }
        page.until("document.querySelectorAll('.maps canvas').length === 3");
        // What a screen reader is told.
        let tree = page.send("Accessibility.getFullAXTree", json!({}));
        let mut named = 0;
        for node in tree["nodes"].as_array().unwrap() {
            let role = node["role"]["value"].as_str().unwrap_or("");
            let roles = [
                "button",
                "radio",
                "slider",
                "combobox",
                "spinbutton",
                "image",
                "application",
                "alert",
            ];
            if roles.contains(&role) && node["ignored"] != true {
                let name = node["name"]["value"].as_str().unwrap_or("");
                assert!(
                    !name.trim().is_empty() || role == "alert",
                    "{role} without a name: {node}"
                );
                named += 1;
            }
        }
        assert!(named > 25, "{named}");
        // Every control that can be used is in the order of the tabulator; one radio button stands for all.
        let wanted = page
            .js("[...document.querySelectorAll('button, input, select, canvas[tabindex]')]\
             .filter((e) => !e.disabled && e.type !== 'radio').length + 1");
        let mut reached = std::collections::BTreeSet::new();
        page.js("document.body.focus()");
        for _ in 0..40 {
            page.key("Tab", "Tab", 9);
            let at = page.js(
                "[...document.querySelectorAll('button, input, select, canvas')].indexOf(document.activeElement)",
            );
            reached.extend(at.as_i64().filter(|at| *at >= 0));
        }
        assert_eq!(Some(reached.len() as u64), wanted.as_u64(), "{reached:?}");
        // Nothing is wider than the screen.
        let wide = page.js("[...document.querySelectorAll('main *')].filter((e) => \
             e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)\
             .map((e) => e.outerHTML.slice(0, 80))");
        assert_eq!(wide, json!([]), "{size:?}");
        let scroll = page.js("document.documentElement.scrollWidth");
        assert!(scroll.as_u64().unwrap() <= u64::from(size[0]), "{scroll}");
        let requests = page.requests();
        let here = |url: &&str| url.starts_with(&site.address) || url.starts_with("blob:");
        assert!(requests.len() > 8 && requests.iter().all(here), "{requests:?}");
        assert!(page.faults().is_empty(), "{:?}", page.faults());
    }
}

#[test]
fn the_server_gives_the_files_of_its_folder_alone_and_needs_a_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("site")).unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    let serve = || {
        let mut command = Command::new(example::program("web"));
        command.args(["--serve-only", "--port", "0", "--out"]).arg(folder.path().join("site"));
        command
    };
    let refused = serve().output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.trim().lines().count() == 1, "{told}");
    assert!(told.contains("holds no page: leave out --serve-only"), "{told}");

    fs::write(folder.path().join("site/index.html"), "<p>page").unwrap();
    let mut server = serve().stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let host = line.split([' ', '/']).nth(2).unwrap();
    let answer = |request: &str| {
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(answer("GET /").ends_with("\r\n\r\n<p>page"));
    assert!(answer("GET /index.html?x").starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"));
    for path in ["/../secret", "/%2e%2e/secret", "//secret", "/site", "/none", "secret", ""] {
        let answer = answer(&format!("GET {path}"));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    assert!(answer("POST /").starts_with("HTTP/1.1 405 "));
    server.kill().unwrap();
    server.wait().unwrap();
}

/// WCAG 2.2's contrast of two colors `#rgb` or `#rrggbb`.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |color: &str| {
        let digits = color.trim_start_matches('#');
        let channel = |i: usize| {
            let part = match digits.len() {
                3 => digits[i..=i].repeat(2),
                _ => digits[2 * i..2 * i + 2].to_owned(),
            };
            let value = f64::from(u8::from_str_radix(&part, 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(1) + 0.0722 * channel(2)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn texts_stand_out_from_their_grounds_light_and_dark_as_wcag_asks() {
    assert!((contrast("#000", "#ffffff") - 21.0).abs() < 1e-9);
    let css = include_str!("../../web/page/style.css");
    let schemes: Vec<&str> = css.split(":root {").skip(1).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let value = |name: &str| {
            let (_, rest) = scheme.split_once(&format!("--{name}: ")).expect(name);
            rest.split(';').next().unwrap()
        };
        let pairs = [
            ("ink", "ground", 4.5),
            ("ink", "soft", 4.5),
            ("muted", "ground", 4.5),
            ("muted", "soft", 4.5),
            ("on-accent", "accent", 4.5),
            ("warning-ink", "warning", 4.5),
            ("accent", "soft", 4.5),
            ("second", "soft", 4.5),
            // The edges of controls.
            ("strong", "ground", 3.0),
        ];
        for (text, ground, least) in pairs {
            let found = contrast(value(text), value(ground));
            assert!(found >= least, "{text} on {ground}: {found:.2}");
        }
    }
}

//! The page of a study: whole in one file, as wide as the screen, light and dark, on paper, with curves to switch.
//!
//! Where there is a headless Chromium (`$CHROMIUM`, `chromium`, `chromium-browser` or `google-chrome`), it opens the
//! page; elsewhere the page is held to what can be read in it.

#[path = "common/chromium.rs"]
mod chromium;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chromium::chromium;
use selvedge::data::ImageDataset;
use selvedge::study::store::FolderStore;
use selvedge::study::{Datasets, Runner, StudyConfig};
use selvedge::train::Context;
use serde_json::Value;

/// Two arms at four learning rates, one of which diverges; long names, one that no line can break, and one that would
/// be a tag.
const STUDY: &str = r#"
[study]
question = "Which learning rate & width is best for <small> networks, and does the difference mean anything at all?"
seeds = 2
[base]
dataset = "stripes"
model = { name = "mlp", hidden = 4 }
optimizer = "sgd"
batch_size = 10
epochs = 4
[vary]
learning_rate = [0.1, 0.01, 0.001, 1e30]
[[variant]]
name = "as_it_is_with_a_name_of_more_than_sixty_letters_without_any_space_in_it"
[[variant]]
name = "<b>wider</b> & longer"
"model.hidden" = 8
"#;

/// Classes of images with a bright row each.
fn datasets() -> Datasets {
    let labels: Vec<u16> = (0..160).map(|i| i % 4).collect();
    let pixel = |i: usize, at: usize, label: u16| match at / 8 / 2 == usize::from(label) {
        true => 255 - (i * 7 % 120) as u8,
        false => (at * 37 + i * 11) as u8 % 90,
    };
    let image = |(i, &label): (usize, &u16)| (0..64).map(move |at| pixel(i, at, label));
    let pixels = labels.iter().enumerate().flat_map(image).collect();
    let classes = ["T-shirt/top", "Trouser", "Ankle boot & sandal", "<i>Bag</i>"].map(Into::into);
    let images = ImageDataset::new("stripes", pixels, [1, 8, 8], labels, classes.into()).unwrap();
    let split = images.view().split_stratified_three([0.5, 0.25, 0.25], 0).unwrap();
    Datasets::default().with("stripes", split)
}

/// The page, made once.
fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let datasets = datasets();
        let store = Arc::new(FolderStore::open(folder.path().join("store")).unwrap());
        let study: StudyConfig = STUDY.parse().unwrap();
        let device = selvedge::device::open("flex").unwrap();
        let runner = Runner::new(store, &datasets, "flex");
        let results = runner.run(&study, &Context::new(&device)).unwrap();
        assert!(results.complete());
        let command = "cargo run --example study -- a_file_with_a_long_name.toml seeds=2 epochs=4 --store somewhere";
        results.write_report(folder.path(), command).unwrap();
        fs::read_to_string(folder.path().join("report.html")).unwrap()
    })
}

/// The tags of a page, but not its styles and scripts.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        tags.push(tag);
        rest = &rest[end + 1..];
        for raw in ["style", "script"] {
            if tag == raw {
                rest = &rest[rest.find(&format!("</{raw}>")).expect("it ends")..];
            }
        }
    }
    tags
}

/// What stands in quotes after a name in the tags.
fn attributes<'a>(tags: &[&'a str], name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    let found = tags.iter().filter_map(|tag| tag.split_once(&start));
    found.map(|(_, rest)| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_page_is_one_file_whose_tags_close_and_whose_links_lead_somewhere() {
    let html = page();
    assert!(!html.contains("://"), "an address of elsewhere");
    let tags = tags(html);
    let mut open = Vec::new();
    for tag in &tags {
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        let is_void = tag.ends_with('/') || ["!DOCTYPE", "!--", "meta", "input"].contains(&name);
        match (tag.strip_prefix('/'), is_void) {
            (Some(name), _) => assert_eq!(open.pop(), Some(name), "</{name}>"),
            (None, true) => {}
            (None, false) => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(
        ["b", "i", "small", "link", "img", "iframe", "object"].iter().all(|&n| !tags.contains(&n))
    );
    assert!(attributes(&tags, "src").is_empty());
    let ids = attributes(&tags, "id");
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert!(known.len() == ids.len() && ids.len() > 8, "{ids:?}");
    let links = attributes(&tags, "href");
    assert!(links.len() >= 5);
    for link in links {
        let id = link.strip_prefix('#').expect(link);
        assert!(known.contains(id), "{link}");
    }
    let figures = attributes(&tags, "data-figure");
    assert!(!figures.is_empty() && figures.iter().all(|figure| known.contains(figure)));
}

/// What the browser writes, and what it complains about. It finds no host, and no profile of the user.
fn browse(chromium: &str, folder: &Path, dark: bool, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(chromium);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"])
        .args(["--disable-background-networking", "--no-first-run", "--virtual-time-budget=5000"])
        // Blink's names of the schemes: 0 is dark, 1 is light.
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .args(arguments);
    let [out, err] = ["out", "err"].map(|name| folder.join(name));
    command.stdout(Stdio::from(fs::File::create(&out).unwrap()));
    command.stderr(Stdio::from(fs::File::create(&err).unwrap()));
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() > Duration::from_secs(240) => {
                child.kill().unwrap();
                panic!("{chromium} does not end");
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let [out, err] =
        [out, err].map(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
    assert!(status.success(), "{err}");
    (out, err)
}

/// Remembers what goes wrong, from the first tag on.
const WATCH: &str = r#"<script>
window.faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("securitypolicyviolation", (event) => faults.push(event.violatedDirective));
</script>"#;

/// Switches the first curve off and on, and tells the frame around the page what it sees.
const MEASURE: &str = r#"<script>
addEventListener("load", () => {
  const boxes = [...document.querySelectorAll("input[data-series]")];
  const curve = document.querySelector(`#${boxes[0].dataset.figure} g[data-series="0"]`);
  const states = [curve.getBoundingClientRect().width > 0];
  for (let i = 0; i < 2; i += 1) {
    boxes[0].click();
    states.push(curve.getBoundingClientRect().width > 0);
  }
  const inScroll = (element) => element.closest(".scroll") !== null;
  const wide = [...document.querySelectorAll("main *")].filter((element) => {
    return !inScroll(element) && element.getBoundingClientRect().right > innerWidth + 0.5;
  });
  const measures = {
    width: innerWidth,
    content: document.documentElement.scrollWidth,
    wide: wide.map((element) => element.outerHTML.slice(0, 80)),
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    background: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    boxes: boxes.filter((box) => box.getBoundingClientRect().width > 0).length,
    states,
    loads: performance.getEntriesByType("resource").length,
    faults,
  };
  parent.postMessage(JSON.stringify(measures), "*");
});
</script>"#;

/// The page in a frame of that width: a window of Chromium is not narrower than 500 pixels.
fn framed(folder: &Path, width: u32) -> PathBuf {
    let html = page();
    let html = html
        .replacen("<head>", &format!("<head>{WATCH}"), 1)
        .replace("</body>", &format!("{MEASURE}</body>"));
    fs::write(folder.join("page.html"), html).unwrap();
    let frame = format!(
        "<!DOCTYPE html><meta name=\"color-scheme\" content=\"light dark\"><body style=\"margin:0\">\
         <iframe src=\"page.html\" style=\"width:{width}px;height:1500px;border:0\"></iframe><pre></pre>\
         <script>addEventListener(\"message\", (event) => {{\
         document.querySelector(\"pre\").textContent = event.data; }});</script>"
    );
    let path = folder.join("frame.html");
    fs::write(&path, frame).unwrap();
    path
}

/// The numbers of a color such as `rgb(20, 20, 20)`, added up.
fn brightness(color: &Value) -> u32 {
    let numbers = color.as_str().unwrap().split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|number| number.parse::<u32>().ok()).take(3).sum()
}

#[test]
fn on_a_telephone_and_a_screen_light_and_dark_nothing_is_cut_and_curves_can_be_switched() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (width, dark) in [(390, false), (390, true), (1280, false), (1280, true)] {
        let url = format!("file://{}", framed(folder.path(), width).display());
        let (dom, complaints) = browse(
            &chromium,
            folder.path(),
            dark,
            &["--window-size=1400,1600", "--dump-dom", &url],
        );
        let (_, text) = dom.rsplit_once("<pre>").expect("the frame");
        let text = text
            .split_once("</pre>")
            .unwrap()
            .0
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        let found: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}\n{complaints}"));
        let place = format!("{width} pixels, dark {dark}: {found}");
        assert_eq!(found["width"], width, "{place}");
        assert!(found["content"].as_u64().unwrap() <= u64::from(width), "{place}");
        assert_eq!(found["wide"], serde_json::json!([]), "{place}");
        assert_eq!(found["dark"], dark, "{place}");
        let [paper, ink] = ["background", "ink"].map(|name| brightness(&found[name]));
        assert!(if dark { paper + 300 < ink } else { ink + 300 < paper }, "{place}");
        assert_eq!(found["states"], serde_json::json!([true, false, true]), "{place}");
        assert!(found["boxes"].as_u64().unwrap() >= 8, "{place}");
        assert_eq!(
            (found["loads"].as_u64(), &found["faults"]),
            (Some(0), &serde_json::json!([])),
            "{place}"
        );
        assert!(!complaints.contains("CONSOLE"), "{complaints}");
        // To look at: STUDY_PAGE_FOLDER=/tmp/pages cargo test --test study_page
        if let Some(kept) = std::env::var_os("STUDY_PAGE_FOLDER") {
            let name = format!("{width}_{}.png", if dark { "dark" } else { "light" });
            let picture = format!("--screenshot={}", Path::new(&kept).join(name).display());
            let size = format!("--window-size={},1500", width.max(500));
            browse(&chromium, folder.path(), dark, &[&size, &picture, &url]);
        }
    }
}

#[test]
fn on_paper_the_page_is_a_document_of_some_sheets() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (page, pdf) = (folder.path().join("report.html"), folder.path().join("report.pdf"));
    fs::write(&page, self::page()).unwrap();
    let print = format!("--print-to-pdf={}", pdf.display());
    let url = format!("file://{}", page.display());
    browse(&chromium, folder.path(), true, &["--no-pdf-header-footer", &print, &url]);
    if let Some(kept) = std::env::var_os("STUDY_PAGE_FOLDER") {
        fs::copy(&pdf, Path::new(&kept).join("report.pdf")).unwrap();
    }
    let bytes = fs::read(&pdf).unwrap();
    assert!(bytes.starts_with(b"%PDF-"));
    let text = String::from_utf8_lossy(&bytes);
    // Chromium writes page objects uncompressed: PDF 1.7, 7.7.3.3.
    let sheets = text.matches("/Type /Page\n").count();
    assert!((2..=20).contains(&sheets), "{sheets}");
}

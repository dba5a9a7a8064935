use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use selvedge_fetch::testing::{Reply, Request, Server};

use crate::published::{Checksum, PublishedFile, PublishedPart, PublishedSet};
use crate::{DataError, DataErrorKind, IdxArray, IdxData, Source, SplitMix64};

const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// A made-up data set, and its compressed files by name.
static SET: LazyLock<(PublishedSet, HashMap<String, Vec<u8>>)> = LazyLock::new(|| {
    let mut rng = SplitMix64::new(0);
    let mut bytes = |n, bound| (0..n).map(|_| rng.below(bound) as u8).collect();
    let shapes: [&[usize]; 4] = [&[40, 28, 28], &[40], &[10, 28, 28], &[10]];
    let mut served = HashMap::new();
    let mut files = [PublishedFile { name: "", bytes: 0, checksum: None }; 4];
    for ((name, shape), file) in NAMES.into_iter().zip(shapes).zip(&mut files) {
        let bound = if shape.len() == 1 { 10 } else { 256 };
        let data = IdxData::U8(bytes(shape.iter().product::<usize>(), bound));
        let array = IdxArray::new(shape.to_vec(), data).unwrap();
        let (mut raw, mut gzip) = (Vec::new(), Vec::new());
        array.write(&mut raw).unwrap();
        array.write_gzip(&mut gzip).unwrap();
        *file = PublishedFile {
            name,
            bytes: raw.len() as u64,
            checksum: Some(Checksum::Content(selvedge_files::sha256(&raw).leak())),
        };
        served.insert(format!("{name}.gz"), gzip);
    }
    let [train, train_labels, test, test_labels] = files;
    let set = PublishedSet {
        name: "made_up",
        display_name: "Made-up",
        folder: "made-up",
        places: &[],
        shape: [1, 28, 28],
        classes: &["c"; 10],
        train: PublishedPart::Idx { images: train, labels: train_labels },
        test: Some(PublishedPart::Idx { images: test, labels: test_labels }),
        official: None,
        archive: None,
        hosts: &[],
        debian: None,
        homepage: "",
        license: "",
    };
    (set, served)
});

fn body(request: &Request) -> &'static [u8] {
    &SET.1[&request.file]
}

fn source(cache: &Path, server: &Server) -> Source {
    Source::cache(cache).with_urls([&server.url]).with_attempts(3, Duration::from_millis(1))
}

fn load(source: &Source) -> Result<(), DataError> {
    let data = SET.0.load(source)?;
    assert_eq!((data.train.len(), data.test.as_ref().unwrap().len()), (40, 10));
    SET.0.verify(&data)
}

/// The names in the data set's cache folder but the lock's, which stays on Windows; none if there is no
/// such folder.
fn names(cache: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(cache.join("made-up"))
        .into_iter()
        .flatten()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    names
}

fn complete() -> Vec<String> {
    let mut names: Vec<String> = SET.1.keys().cloned().collect();
    names.sort();
    names
}

/// Loads all four files from a server, the first of which it answers in its own way.
fn load_from(
    reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
) -> (Result<(), DataError>, Vec<Request>, Vec<String>) {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(move |request, earlier| match request.file.as_str() {
        "train-images-idx3-ubyte.gz" => reply(request, earlier),
        _ => Reply::whole(body(request)),
    });
    let result = load(&source(cache.path(), &server));
    (result, server.requests(), names(cache.path()))
}

#[test]
fn a_download_is_loaded_and_kept() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| Reply::whole(body(request)));
    load(&source(cache.path(), &server)).unwrap();
    assert_eq!(names(cache.path()), complete());
    assert_eq!(server.requests().len(), 4);
    load(&source(cache.path(), &server)).unwrap();
    assert_eq!(server.requests().len(), 4, "the second load asks for nothing");
    load(&Source::cache(cache.path()).without_download()).unwrap();
}

#[test]
fn a_missing_file_is_an_error_at_once_and_leaves_nothing() {
    let (result, requests, names) = load_from(|_, _| Reply::status("404 Not Found"));
    let error = result.unwrap_err().to_string();
    assert!(
        error.starts_with("cannot download http://127.0.0.1:")
            && error.contains("train-images-idx3-ubyte.gz: HTTP status 404 Not Found"),
        "{error}"
    );
    assert_eq!(requests.len(), 1);
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_second_host_is_tried_when_the_first_lacks_the_file() {
    let cache = tempfile::tempdir().unwrap();
    let bad = Server::start(|_, _| Reply::status("404 Not Found"));
    let good = Server::start(|request, _| Reply::whole(body(request)));
    let source = source(cache.path(), &bad).with_urls([&bad.url, &good.url]);
    load(&source).unwrap();
    assert_eq!((bad.requests().len(), good.requests().len()), (4, 4));
}

#[test]
fn wrong_bytes_are_refused_and_removed() {
    let wrong = || {
        let data = IdxData::U8(vec![7; 40 * 784]);
        let mut gzip = Vec::new();
        let array = IdxArray::new(vec![40, 28, 28], data).unwrap();
        array.write_gzip(&mut gzip).unwrap();
        gzip
    };
    let (result, _, names) = load_from(move |_, _| Reply::whole(&wrong()));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Checksum, "{error}");
    let expected = SET.0.files()[0].content().unwrap();
    let message =
        format!("/train-images-idx3-ubyte.gz: SHA-256 of the content: expected {expected}, found ");
    assert!(error.to_string().contains(&message), "{error}");
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_web_page_instead_of_a_file_is_refused() {
    let (result, _, names) = load_from(|_, _| Reply::whole(b"<html>Please log in</html>"));
    assert_eq!(result.unwrap_err().kind(), DataErrorKind::Checksum);
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_damaged_gzip_stream_is_refused() {
    let (result, _, names) = load_from(|request, _| {
        let mut bytes = body(request).to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        Reply::whole(&bytes)
    });
    assert_eq!(result.unwrap_err().kind(), DataErrorKind::Checksum);
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_broken_transfer_is_resumed_where_it_broke() {
    let (result, requests, names) = load_from(|request, earlier| {
        let reply = Reply::ranged(body(request), request).with_header("ETag: \"one\"");
        match earlier {
            0 => reply.cut_off_after(10_000),
            _ => reply,
        }
    });
    result.unwrap();
    assert_eq!(names, complete());
    assert_eq!(requests.len(), 5);
    let second = &requests[1];
    assert_eq!(second.from, Some(10_000));
    assert_eq!(second.if_range.as_deref(), Some("\"one\""));
}

#[test]
fn a_broken_transfer_restarts_where_the_host_cannot_resume() {
    let (result, requests, names) = load_from(|request, earlier| match earlier {
        0 | 1 => Reply::whole(body(request)).cut_off_after(10_000),
        _ => Reply::whole(body(request)),
    });
    result.unwrap();
    assert_eq!(names, complete());
    assert_eq!(requests.len(), 6);
}

#[test]
fn a_transfer_cut_off_without_an_announced_length_is_noticed() {
    let (result, requests, _) = load_from(|request, earlier| {
        let reply = Reply::ranged(body(request), request).without_length();
        match earlier {
            0 => reply.cut_off_after(10_000),
            _ => reply,
        }
    });
    result.unwrap();
    assert_eq!(requests[1].from, Some(10_000));
}

#[test]
fn a_host_that_always_breaks_off_is_given_up_and_leaves_nothing() {
    let (result, requests, names) =
        load_from(|request, _| Reply::whole(body(request)).cut_off_after(100));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("the transfer broke off"), "{error}");
    assert_eq!(requests.len(), 3);
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_file_that_changed_between_two_parts_is_fetched_anew() {
    let (result, requests, _) = load_from(|request, earlier| match earlier {
        0 => Reply::whole(&vec![0; body(request).len()]).cut_off_after(10_000),
        _ => Reply::ranged(body(request), request),
    });
    result.unwrap();
    let parts: Vec<_> = requests[..3].iter().map(|r| r.from).collect();
    assert_eq!(parts, [None, Some(10_000), None]);
}

#[test]
fn a_host_that_answers_with_the_wrong_part_is_asked_for_the_whole() {
    let (result, requests, _) = load_from(|request, earlier| match earlier {
        0 => Reply::whole(body(request)).cut_off_after(10_000),
        1 => {
            let other = Request { from: Some(5_000), ..request.clone() };
            Reply::ranged(body(request), &other)
        }
        _ => Reply::ranged(body(request), request),
    });
    result.unwrap();
    assert_eq!(requests[2].from, None);
}

#[test]
fn a_busy_host_is_asked_again() {
    let (result, requests, _) = load_from(|request, earlier| match earlier {
        0 => Reply::status("503 Service Unavailable"),
        _ => Reply::whole(body(request)),
    });
    result.unwrap();
    assert_eq!(requests.len(), 5);
}

#[test]
fn a_silent_host_is_given_up() {
    let cache = tempfile::tempdir().unwrap();
    let server =
        Server::start(|request, _| Reply::whole(body(request)).after(Duration::from_secs(60)));
    let source = source(cache.path(), &server).with_timeout(Duration::from_millis(50));
    let error = load(&source).unwrap_err().to_string();
    assert!(error.contains("timeout"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn an_interrupt_ends_a_download_from_a_silent_host_and_leaves_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    // Silent before the answer, and silent in the middle of the file.
    for (after, sent) in [(Duration::from_secs(3600), 0), (Duration::ZERO, 10_000)] {
        let cache = tempfile::tempdir().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server::start(move |request, _| {
            Reply::whole(body(request)).after(after).stalled_after(sent)
        });
        let asked = stop.clone();
        let source = source(&cache.path().join("new"), &server)
            .with_timeout(Duration::from_secs(3600))
            .with_interrupt(move || asked.load(Relaxed));
        std::thread::scope(|scope| {
            let load = scope.spawn(|| load(&source));
            while server.requests().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            stop.store(true, Relaxed);
            let error = load.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), DataErrorKind::Interrupted);
            let expected = "stopped while downloading train-images-idx3-ubyte";
            assert_eq!(error.to_string(), expected);
        });
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0, "empty folders stay");
    }
}

#[test]
fn an_interrupt_ends_waiting_for_the_download_of_another() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| Reply::whole(body(request)));
    let _lock = selvedge_files::FolderLock::acquire(cache.path().join("made-up")).unwrap();
    let error = load(&source(cache.path(), &server).with_interrupt(|| true)).unwrap_err();
    assert_eq!(error.to_string(), "stopped while waiting for the download of Made-up by another");
}

#[test]
fn an_endless_body_is_cut_at_the_published_size() {
    let (result, _, names) = load_from(|_, _| Reply::whole(&vec![1; 1 << 20]));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("expected at most 96912 bytes, found more"), "{error}");
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn two_loaders_at_once_fetch_each_file_once() {
    let cache = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start(|request, _| {
        Reply::whole(body(request)).after(Duration::from_millis(20))
    }));
    std::thread::scope(|scope| {
        let loaders: Vec<_> =
            (0..4).map(|_| scope.spawn(|| load(&source(cache.path(), &server)))).collect();
        for loader in loaders {
            loader.join().unwrap().unwrap();
        }
    });
    assert_eq!(server.requests().len(), 4);
    assert_eq!(names(cache.path()), complete());
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("made-up");
    // The number of a process that cannot be, and what it had of a file.
    let dead = folder.join(".selvedge-4194305-0");
    fs::create_dir_all(&dead).unwrap();
    fs::write(dead.join("file"), "half").unwrap();
    let server = Server::start(|request, _| Reply::whole(body(request)));
    load(&source(cache.path(), &server)).unwrap();
    assert_eq!(names(cache.path()), complete());
}

#[test]
fn only_the_missing_files_are_fetched() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(|request, _| Reply::whole(body(request)));
    load(&source(cache.path(), &server)).unwrap();
    fs::remove_file(cache.path().join("made-up/t10k-labels-idx1-ubyte.gz")).unwrap();
    load(&source(cache.path(), &server)).unwrap();
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_cache_that_cannot_be_made_is_named() {
    let cache = tempfile::NamedTempFile::new().unwrap();
    let server = Server::start(|request, _| Reply::whole(body(request)));
    let error = load(&source(cache.path(), &server)).unwrap_err();
    let reason = format!("{} is a file, not a folder", cache.path().display());
    let expected = format!("cannot write {}: {reason}", cache.path().join("made-up").display());
    assert_eq!(error.to_string(), expected);
    assert!(server.requests().is_empty());
}

#[test]
fn a_host_that_is_not_there_is_given_up_at_once() {
    let cache = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = Source::cache(cache.path())
        .with_urls([format!("http://127.0.0.1:{port}")])
        .with_attempts(2, Duration::from_secs(3600));
    assert_eq!(load(&source).unwrap_err().kind(), DataErrorKind::Download);
}

#[cfg(not(feature = "https"))]
#[test]
fn an_https_address_names_the_feature_it_needs() {
    let cache = tempfile::tempdir().unwrap();
    let source = Source::cache(cache.path()).with_urls(["https://127.0.0.1:9"]);
    let error = load(&source).unwrap_err().to_string();
    assert!(error.contains("https needs the feature `https`"), "{error}");
}

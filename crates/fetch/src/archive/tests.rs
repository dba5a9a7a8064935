use std::fs;

use super::*;
use crate::testing::{tar_gz, zip};

const MEMBERS: [(&str, &[u8]); 3] =
    [("set/a.bin", b"first"), ("set/b.bin", &[7; 5000]), ("set/c.bin", b"")];

fn write(bytes: &[u8]) -> (tempfile::TempDir, Archive) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    fs::write(&path, bytes).unwrap();
    (folder, Archive::new(path))
}

fn reason(bytes: &[u8], wanted: &[(&str, u64)]) -> String {
    let (folder, archive) = write(bytes);
    let error = archive.members(wanted).unwrap_err();
    assert_eq!(error.path(), Some(archive.path()));
    let text = error.to_string();
    drop(folder);
    text.split_once("/archive: ").unwrap().1.to_owned()
}

#[test]
fn members_of_zip_and_of_compressed_tar_are_read_in_the_order_asked_for() {
    for bytes in [zip(&MEMBERS), tar_gz(&MEMBERS)] {
        let (_folder, archive) = write(&bytes);
        let found = archive.members(&[("set/b.bin", 5000), ("set/a.bin", 100)]).unwrap();
        assert_eq!(found, [vec![7; 5000], b"first".to_vec()]);
        assert_eq!(archive.members(&[("set/c.bin", 0)]).unwrap(), [b""]);
    }
}

#[test]
fn a_tar_without_compression_and_with_a_dot_before_its_names_is_read() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(3);
    header.set_path("./set/a.bin").unwrap();
    header.set_cksum();
    archive.append(&header, &b"abc"[..]).unwrap();
    let (_folder, archive) = write(&archive.into_inner().unwrap());
    assert_eq!(archive.members(&[("set/a.bin", 3)]).unwrap(), [b"abc"]);
}

#[test]
fn a_member_that_is_not_there_and_one_that_is_too_large_are_named() {
    for bytes in [zip(&MEMBERS), tar_gz(&MEMBERS)] {
        assert_eq!(reason(&bytes, &[("set/d.bin", 9)]), "it has no set/d.bin");
        let too_large = "set/b.bin has more than 4999 bytes";
        assert_eq!(reason(&bytes, &[("set/b.bin", 4999)]), too_large);
    }
}

#[test]
fn damaged_archives_are_refused_wherever_they_are_cut_off() {
    let wanted = MEMBERS.map(|(name, _)| (name, 5000));
    for bytes in [zip(&MEMBERS), tar_gz(&MEMBERS)] {
        for length in 0..bytes.len() - 30 {
            let (_folder, archive) = write(&bytes[..length]);
            // The end of a tar archive is blank, and not needed for its members.
            if let Ok(found) = archive.members(&wanted) {
                assert_eq!(found, MEMBERS.map(|(_, content)| content.to_vec()), "{length}");
            }
        }
    }
    let mut zip = zip(&MEMBERS);
    // The first member is stored: its content follows the name.
    let content = zip.windows(5).position(|five| five == b"first").unwrap();
    zip[content] ^= 1;
    assert!(reason(&zip, &wanted).contains("the check sum of set/a.bin is "));
}

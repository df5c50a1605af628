//! The writer: what it refuses, and that whatever goes wrong leaves the old file and nothing else.

use std::fs;
use std::io::Write;
use std::path::Path;

use morelet_mapped::{
    Container, ErrorKind, Kind, OpenOptions, Verify, Writer, write_file_atomically,
};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_temporary_file_lies_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    let path = folder.path().join("x.weights");
    let mut writer = Writer::create_in(&work, &path, Kind::Weights).unwrap();
    writer.section("data", 1, true).unwrap().finish().unwrap();
    assert_eq!(
        (names(folder.path()), names(&work).len()),
        (vec!["work".into()], 1)
    );
    let root = writer.finish().unwrap();
    assert_eq!((names(folder.path()).len(), names(&work).len()), (2, 0));
    let container = Container::open(&path, Kind::Weights, OpenOptions::default()).unwrap();
    assert_eq!(container.root(), root);
    drop(Writer::create_in(&work, &path, Kind::Weights).unwrap());
    assert_eq!(names(&work).len(), 0);
    assert!(Writer::create_in(folder.path().join("none"), &path, Kind::Weights).is_err());
}

#[test]
fn sections_of_all_sizes_come_back_whatever_the_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let content: Vec<u8> = (0..700_000u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let lens = [0, 1, 4095, 4096, 4097, 262_143, 262_144, 262_145, 700_000];
    let mut roots = Vec::new();
    for piece in [1, 977, 262_144, 700_000] {
        let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
        for len in lens {
            let mut section = writer.section(&format!("s{len}"), 1, true).unwrap();
            for piece in content[..len].chunks(piece) {
                section.write_all(piece).unwrap();
            }
            assert_eq!(section.position(), len as u64);
            section.finish().unwrap();
        }
        roots.push(writer.finish().unwrap());
        let options = OpenOptions {
            verify: Verify::Full,
            ..OpenOptions::default()
        };
        let container = Container::open(&path, Kind::TextIndex, options).unwrap();
        for len in lens {
            assert!(*container.section(&format!("s{len}"), 1..=1).unwrap() == content[..len]);
        }
    }
    assert!(
        roots.iter().all(|root| *root == roots[0]),
        "the same content has one root: {roots:?}"
    );
    assert_eq!(names(folder.path()), ["x.weights"]);
}

#[test]
fn what_is_aligned_in_its_section_is_aligned_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let mut writer = Writer::create(&path, Kind::Weights).unwrap();
    let mut section = writer.section("data", 1, true).unwrap();
    for to in [1, 64, 4096] {
        section.put(&[1]).unwrap();
        section.align(to).unwrap();
        section.align(to).unwrap();
        assert_eq!(section.position(), to);
    }
    for to in [0, 3, 8192] {
        assert_eq!(section.align(to).unwrap_err().kind(), ErrorKind::Invalid);
    }
    section.finish().unwrap();
    writer.finish().unwrap();
    let container = Container::open_any(&path, OpenOptions::default()).unwrap();
    let bytes = container.section("data", 1..=1).unwrap();
    assert_eq!(bytes.iter().filter(|&&byte| byte == 1).count(), 3);
    assert_eq!(bytes.as_ptr().addr() % 4096, 0);
}

#[test]
fn a_section_can_be_put_down_and_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let mut writer = Writer::create(&path, Kind::Weights).unwrap();
    let mut section = writer.section("data", 1, true).unwrap();
    section.put(b"one ").unwrap();
    let suspended = section.suspend();
    let mut section = writer.resume(&suspended).unwrap();
    assert_eq!(section.position(), 4);
    section.put(b"two").unwrap();
    section.finish().unwrap();
    assert_eq!(
        writer.resume(&suspended).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let other = writer.section("other", 1, true).unwrap().suspend();
    assert_eq!(
        writer.resume(&suspended).unwrap_err().section(),
        Some("data")
    );
    writer.resume(&other).unwrap().finish().unwrap();
    writer.finish().unwrap();
    let container = Container::open_any(&path, OpenOptions::default()).unwrap();
    assert_eq!(*container.section("data", 1..=1).unwrap(), *b"one two");
}

#[test]
fn sixty_four_sections_with_the_longest_names_fit_and_one_more_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let mut writer = Writer::create(&path, Kind::ImageIndex).unwrap();
    for i in 0..64 {
        let mut section = writer.section(&format!("{i:048}"), u32::MAX, true).unwrap();
        section.put(&[i; 3]).unwrap();
        section.finish().unwrap();
    }
    let error = writer.section("more", 1, true).unwrap_err();
    assert_eq!(
        (error.kind(), error.section()),
        (ErrorKind::Invalid, Some("more"))
    );
    writer.finish().unwrap();
    let container = Container::open_any(&path, OpenOptions::default()).unwrap();
    assert_eq!(container.sections().len(), 64);
}

#[test]
fn a_file_without_sections_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let root = Writer::create(&path, Kind::Weights)
        .unwrap()
        .finish()
        .unwrap();
    let container = Container::open(&path, Kind::Weights, OpenOptions::default()).unwrap();
    assert_eq!((container.root(), container.len()), (root, 8192));
    container.verify(&mut |_, _| {}).unwrap();
}

#[test]
fn misuse_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let mut writer = Writer::create(&path, Kind::Weights).unwrap();
    writer.section("meta", 1, false).unwrap().finish().unwrap();
    let long = "a".repeat(49);
    for name in ["", "Meta", "me ta", "métа", "meta/x", "meta", &*long] {
        let error = writer.section(name, 1, false).unwrap_err();
        assert_eq!(
            (error.kind(), error.path()),
            (ErrorKind::Invalid, Some(&*path)),
            "{name:?}"
        );
    }
    let _ = writer.section("data", 1, false).unwrap();
    assert_eq!(
        writer.section("next", 1, false).unwrap_err().section(),
        Some("next")
    );
    let error = writer.finish().unwrap_err();
    assert_eq!(
        (error.kind(), error.section()),
        (ErrorKind::Invalid, Some("data"))
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_writer_that_is_dropped_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    fs::write(&path, "old").unwrap();
    let mut writer = Writer::create(&path, Kind::Weights).unwrap();
    let mut section = writer.section("data", 1, true).unwrap();
    section.put(&[1; 1 << 20]).unwrap();
    assert_eq!(
        names(folder.path()).len(),
        2,
        "the new file grows beside the old one"
    );
    assert_eq!(fs::read(&path).unwrap(), b"old");
    let _ = section;
    drop(writer);
    assert_eq!(names(folder.path()), ["x.weights"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_target_that_cannot_be_replaced_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = Writer::create(folder.path(), Kind::Weights).unwrap_err();
    assert_eq!(
        (error.kind(), error.got()),
        (ErrorKind::Invalid, Some("a folder"))
    );
    if cfg!(unix) {
        let error = Writer::create("/dev/null", Kind::Weights).unwrap_err();
        assert_eq!(
            (error.kind(), error.got()),
            (ErrorKind::Invalid, Some("a device"))
        );
    }
    let path = folder.path().join("absent").join("x.weights");
    let error = Writer::create(&path, Kind::Weights).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*path)));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn small_files_are_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.json");
    for content in ["{}", "{\"format\": 1}", ""] {
        write_file_atomically(&path, content.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    assert_eq!(names(folder.path()), ["bundle.json"]);
}

/// Temporary files are private; what becomes of them must not be.
#[cfg(unix)]
#[test]
fn files_have_the_permissions_that_any_new_file_has() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    fs::write(folder.path().join("plain"), "").unwrap();
    Writer::create(folder.path().join("x.weights"), Kind::Weights)
        .unwrap()
        .finish()
        .unwrap();
    write_file_atomically(folder.path().join("bundle.json"), b"").unwrap();
    assert_eq!(mode("x.weights"), mode("plain"));
    assert_eq!(mode("bundle.json"), mode("plain"));
}

/// The disk is full, as far as the writer can tell: a child process may write files of at most 64 KiB. The test runs
/// itself in that child.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error_that_leaves_the_old_file_and_nothing_else() {
    const FOLDER: &str = "MORELET_FULL_DISK_TEST_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write_until_full(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    fs::write(&path, "old").unwrap();
    let child = std::process::Command::new("sh")
        // The unit is 512 bytes in sh, 1024 in bash. Past the limit a write fails, the signal being ignored.
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact --nocapture \"$1\"",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg("writing::a_full_disk_is_an_error_that_leaves_the_old_file_and_nothing_else")
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && told.contains("refused"),
        "{told}\n{}",
        String::from_utf8_lossy(&child.stderr)
    );
    assert_eq!(names(folder.path()), ["x.weights"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[cfg(unix)]
fn write_until_full(folder: &Path) {
    let path = folder.join("x.weights");
    let mut writer = Writer::create(&path, Kind::Weights).unwrap();
    let mut section = writer.section("data", 1, true).unwrap();
    let error = (0..1024)
        .find_map(|_| section.put(&[1; 1024]).err())
        .unwrap();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*path)));
    assert_eq!(
        error.io_error().unwrap().kind(),
        std::io::ErrorKind::FileTooLarge
    );
    assert!(error.to_string().contains("Make room"), "{error}");
    // Whoever goes on all the same must not end up with a file that has a hole.
    let error = section.write_all(&[2; 300_000]).unwrap_err();
    assert!(error.to_string().contains("failed before"), "{error}");
    assert_eq!(section.finish().unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(
        write_file_atomically(&path, &[1; 1 << 20])
            .unwrap_err()
            .kind(),
        ErrorKind::Io
    );
    println!("refused");
}

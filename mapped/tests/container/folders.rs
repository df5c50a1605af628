//! Folders that are replaced whole, and those that must not be.

use std::fs;
use std::path::Path;

use morelet_mapped::{AtomicDir, ErrorKind, write_file_atomically};

fn put(folder: &Path, name: &str, content: &str) {
    write_file_atomically(folder.join(name), content.as_bytes()).unwrap();
}

#[test]
fn a_new_folder_appears_whole() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("news.morelet");
    let new = AtomicDir::create(&target).unwrap();
    put(new.path(), "bundle.json", "{}");
    fs::create_dir(new.path().join("inner")).unwrap();
    put(new.path(), "inner/part", "1");
    assert!(!target.exists());
    new.commit().unwrap();
    assert_eq!(fs::read(target.join("inner/part")).unwrap(), b"1");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_of_ours_is_replaced_and_an_empty_one_filled() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("news.morelet");
    fs::create_dir(&target).unwrap();
    for content in ["first", "second"] {
        let new = AtomicDir::replace(&target, "bundle.json").unwrap();
        put(new.path(), "bundle.json", content);
        put(new.path(), content, "");
        new.commit().unwrap();
    }
    assert_eq!(fs::read(target.join("bundle.json")).unwrap(), b"second");
    assert!(target.join("second").exists() && !target.join("first").exists());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_that_is_dropped_leaves_the_old_one_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("news.morelet");
    fs::create_dir(&target).unwrap();
    put(&target, "bundle.json", "old");
    let new = AtomicDir::replace(&target, "bundle.json").unwrap();
    put(new.path(), "bundle.json", "new");
    drop(new);
    assert_eq!(fs::read(target.join("bundle.json")).unwrap(), b"old");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

/// `-o ~` must not delete somebody's home.
#[test]
fn a_folder_that_is_not_ours_is_never_replaced() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("home");
    fs::create_dir(&target).unwrap();
    // It fills only after the work began, which is then in vain.
    let late = AtomicDir::replace(&target, "bundle.json").unwrap();
    put(&target, "thesis.tex", "years");
    let refusals = [
        AtomicDir::create(&target).unwrap_err(),
        AtomicDir::replace(&target, "bundle.json").unwrap_err(),
        AtomicDir::replace(target.join("thesis.tex"), "bundle.json").unwrap_err(),
        late.commit().unwrap_err(),
    ];
    for error in refusals {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert_eq!(fs::read(target.join("thesis.tex")).unwrap(), b"years");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn folders_have_the_permissions_that_any_new_folder_has() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("plain")).unwrap();
    AtomicDir::create(place.path().join("new"))
        .unwrap()
        .commit()
        .unwrap();
    let mode = |name: &str| {
        fs::metadata(place.path().join(name))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode("new"), mode("plain"));
}

//! What is written is read: sections, ranges, numbers, and the errors for asking for what is not there.

use morelet_mapped::{Bytes, Container, ErrorKind, Kind, Load, OpenOptions, Slice, Verify, Writer};

use crate::forge::{DATA, Forge, META, folder_with, write_small};

fn small(load: Load) -> (tempfile::TempDir, Container) {
    let (folder, path) = folder_with("x.weights", &Forge::small().bytes());
    let options = OpenOptions {
        load,
        verify: Verify::Full,
    };
    let container = Container::open(&path, Kind::Weights, options).unwrap();
    (folder, container)
}

#[test]
fn sections_are_found_by_name_with_their_content() {
    for load in [Load::Map, Load::Copy] {
        let (_folder, container) = small(load);
        assert_eq!(container.kind(), Kind::Weights);
        assert_eq!(container.len(), 12288 + 8);
        let names: Vec<&str> = container
            .sections()
            .iter()
            .map(|section| section.name.as_str())
            .collect();
        assert_eq!(names, ["meta", "empty", "data"]);
        for (name, revision, content) in [("meta", 1, META), ("empty", 300, b""), ("data", 2, DATA)]
        {
            let bytes = container.section(name, revision..=revision).unwrap();
            assert_eq!((bytes.name(), &*bytes), (name, content));
        }
        container.prefault("data").unwrap();
        container.prefault("empty").unwrap();
    }
}

#[test]
fn an_absent_section_is_missing_and_an_unread_revision_is_a_version() {
    let (_folder, container) = small(Load::Map);
    let error = container.section("tokenizer", 1..=1).unwrap_err();
    assert_eq!(
        (error.kind(), error.section()),
        (ErrorKind::Missing, Some("tokenizer"))
    );
    assert!(container.optional("tokenizer", 1..=1).unwrap().is_none());
    for (revisions, expected) in [(0..=1, "0 to 1"), (3..=9, "3 to 9"), (7..=7, "7")] {
        for error in [
            container.section("data", revisions.clone()).unwrap_err(),
            container.optional("data", revisions.clone()).unwrap_err(),
        ] {
            assert_eq!(
                (error.kind(), error.section()),
                (ErrorKind::Version, Some("data"))
            );
            assert_eq!((error.expected(), error.got()), (Some(expected), Some("2")));
        }
    }
}

#[test]
fn ranges_are_checked_against_their_section() {
    let (_folder, container) = small(Load::Map);
    let data = container.section("data", 2..=2).unwrap();
    assert_eq!(*data.slice(0..8).unwrap(), *DATA);
    assert_eq!(*data.slice(8..8).unwrap(), []);
    let part = data.slice(4..8).unwrap();
    assert_eq!((&*part, part.offset()), (&DATA[4..], 12292));
    // The file goes on before the section, and nothing may reach there; a part is no way back to the whole.
    #[allow(clippy::reversed_empty_ranges)]
    let outside = [
        (0..9, 12288),
        (9..9, 12296),
        (u64::MAX..u64::MAX, 12296),
        (0..u64::MAX, 12288),
        (5..3, 12293),
    ];
    for (range, offset) in outside {
        let error = data.slice(range.clone()).unwrap_err();
        assert_eq!(
            (error.kind(), error.section(), error.offset()),
            (ErrorKind::Corrupt, Some("data"), Some(offset))
        );
        assert_eq!(error.expected(), Some("a range inside 0..8"));
        assert_eq!(error.got(), Some(&*format!("{range:?}")));
    }
    assert_eq!(
        part.slice(0..5).unwrap_err().expected(),
        Some("a range inside 0..4")
    );
    assert_eq!(part.corrupt(3, "odd").offset(), Some(12295));
}

#[test]
fn numbers_are_read_where_they_are_aligned_and_whole() {
    for load in [Load::Map, Load::Copy] {
        let (_folder, container) = small(load);
        let data = container.section("data", 2..=2).unwrap();
        assert_eq!(*data.typed::<f32>().unwrap(), [1.5, -2.5]);
        assert_eq!(*data.typed::<u64>().unwrap(), [0xc020_0000_3fc0_0000]);
        assert_eq!(*data.typed::<i8>().unwrap(), [0, 0, -64, 63, 0, 0, 32, -64]);
        assert_eq!(
            *container
                .section("empty", 300..=300)
                .unwrap()
                .typed::<f64>()
                .unwrap(),
            []
        );
        let error = data.slice(0..6).unwrap().typed::<f32>().unwrap_err();
        assert_eq!(
            (error.kind(), error.section(), error.offset()),
            (ErrorKind::Corrupt, Some("data"), Some(12288))
        );
        assert_eq!(
            (error.expected(), error.got()),
            (Some("a multiple of 4 bytes"), Some("6"))
        );
        let error = data.slice(2..6).unwrap().typed::<u32>().unwrap_err();
        assert_eq!(
            (error.kind(), error.offset()),
            (ErrorKind::Corrupt, Some(12290))
        );
        assert_eq!(
            (error.expected(), error.got()),
            (Some("a start that is a multiple of 4"), Some("12290"))
        );
    }
}

#[test]
fn views_keep_the_file_open() {
    let (folder, container) = small(Load::Map);
    let numbers: Slice<f32> = container.section("data", 2..=2).unwrap().typed().unwrap();
    drop(container);
    folder.close().unwrap();
    let clone = numbers.clone();
    drop(numbers);
    assert_eq!(std::thread::spawn(move || clone[0]).join().unwrap(), 1.5);
}

/// A program goes on with the file that it opened when somebody replaces it.
#[test]
fn a_file_that_is_replaced_is_still_the_old_one_to_its_readers() {
    let (_folder, container) = small(Load::Map);
    Writer::create(container.path(), Kind::Weights)
        .unwrap()
        .finish()
        .unwrap();
    container.verify(&mut |_, _| {}).unwrap();
    assert_eq!(*container.section("meta", 1..=1).unwrap(), *META);
    let new = Container::open(container.path(), Kind::Weights, OpenOptions::default()).unwrap();
    assert!(new.sections().is_empty());
}

#[test]
fn a_file_overwritten_in_place_is_noticed_by_verify_and_harmless_to_a_copy() {
    let (_folder, mapped) = small(Load::Map);
    let copied = Container::open(mapped.path(), Kind::Weights, OPTIONS_COPY).unwrap();
    let mut other = Forge::small();
    other.kind = 2;
    // Writes into the same file, as `cp` does.
    std::fs::write(mapped.path(), other.bytes()).unwrap();
    let error = mapped.verify(&mut |_, _| {}).unwrap_err();
    assert_eq!(
        (error.kind(), error.offset()),
        (ErrorKind::Corrupt, Some(0)),
        "{error}"
    );
    copied.verify(&mut |_, _| {}).unwrap();
}

const OPTIONS_COPY: OpenOptions = OpenOptions {
    load: Load::Copy,
    verify: Verify::Quick,
};

#[test]
fn verification_tells_its_progress() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let mut writer = Writer::create(&path, Kind::Weights).unwrap();
    let mut section = writer.section("data", 1, true).unwrap();
    section.put(&vec![7; 9 << 20]).unwrap();
    section.finish().unwrap();
    writer.finish().unwrap();
    let mut steps = Vec::new();
    let container = Container::open_any(&path, OpenOptions::default()).unwrap();
    container
        .verify(&mut |done, total| steps.push((done, total)))
        .unwrap();
    let total = 9 << 20;
    assert_eq!(steps, [(4 << 20, total), (8 << 20, total), (total, total)]);
}

#[test]
fn containers_and_views_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Container>();
    crosses::<Bytes>();
    crosses::<Slice<f32>>();
    crosses::<morelet_mapped::Error>();
}

#[test]
fn the_writer_and_the_description_of_the_format_make_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    let root = write_small(&path);
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes == Forge::small().bytes());
    assert_eq!(root.as_bytes()[..], bytes[32..64]);
    assert_eq!(
        Container::open_any(&path, OpenOptions::default())
            .unwrap()
            .root(),
        root
    );
}

//! One file for each rule that a container can break, and what the error tells of it.

use morelet_mapped::{Container, ErrorKind, Hash, Kind, Load, OpenOptions, Verify};

use crate::forge::{Entry, Forge, folder_with, number};

/// A broken rule, and what the error must say.
struct Case {
    rule: &'static str,
    file: Vec<u8>,
    kind: ErrorKind,
    section: Option<&'static str>,
    offset: u64,
    expected: String,
    got: String,
}

/// Where the entries of the small file's table start: the header, the count, then 4, 5 and 4 bytes of name, one byte
/// for its length, revisions of 1, 3 and 1 bytes, one byte of flag, offsets of 3 bytes, one byte of length, a hash.
const META_ENTRY: u64 = 64 + 1;
const EMPTY_ENTRY: u64 = META_ENTRY + 1 + 4 + 1 + 1 + 3 + 1 + 32;
const DATA_ENTRY: u64 = EMPTY_ENTRY + 1 + 5 + 3 + 1 + 3 + 1 + 32;
const TABLE_END: u64 = DATA_ENTRY + 1 + 4 + 1 + 1 + 3 + 1 + 32;
const FILE_LEN: u64 = 12288 + 8;

fn case(
    rule: &'static str,
    break_it: impl Fn(&mut Forge),
    (kind, section, offset): (ErrorKind, Option<&'static str>, u64),
    (expected, got): (impl ToString, impl ToString),
) -> Case {
    let mut forge = Forge::small();
    break_it(&mut forge);
    Case {
        rule,
        file: forge.bytes(),
        kind,
        section,
        offset,
        expected: expected.to_string(),
        got: got.to_string(),
    }
}

fn header_cases() -> Vec<Case> {
    use ErrorKind::{ByteOrder, Corrupt, Truncated, Version};
    let wrong = Hash::of(b"wrong");
    let sound = Forge::small().bytes();
    let root = Hash::from_bytes(sound[32..64].try_into().unwrap());
    vec![
        case(
            "the magic in text mode",
            |f| f.magic = *b"\x89MRL\x0a\x0a\x1a\x0a",
            (Corrupt, None, 0),
            (
                "bytes 89 4d 52 4c 0d 0a 1a 0a",
                "bytes 89 4d 52 4c 0a 0a 1a 0a",
            ),
        ),
        case(
            "the other byte order",
            |f| f.endian_mark.reverse(),
            (ByteOrder, None, 8),
            ("little-endian integers", "big-endian ones"),
        ),
        case(
            "an endian mark that is neither",
            |f| f.endian_mark = [4, 3, 2, 2],
            (Corrupt, None, 8),
            ("0x01020304", "0x02020304"),
        ),
        case(
            "a version to come",
            |f| f.version = 2,
            (Version, None, 12),
            (1, 2),
        ),
        case(
            "a version before the first",
            |f| f.version = 0,
            (Version, None, 12),
            (1, 0),
        ),
        case(
            "another header length",
            |f| f.header_len = 128,
            (Corrupt, None, 14),
            (64, 128),
        ),
        case(
            "a table past its limit",
            |f| f.table_len = Some(8129),
            (Corrupt, None, 20),
            ("at most 8128 bytes", 8129),
        ),
        case(
            "a table of 4 GiB",
            |f| f.table_len = Some(u32::MAX),
            (Corrupt, None, 20),
            ("at most 8128 bytes", u32::MAX),
        ),
        case(
            "a table length that hides an entry",
            |f| f.table_len = Some(50),
            (Corrupt, None, 32),
            (root_with_table_len(50).0, root_with_table_len(50).1),
        ),
        case(
            "another root hash",
            |f| f.root = Some(wrong),
            (Corrupt, None, 32),
            (wrong, root),
        ),
        case(
            "a kind to come",
            |f| f.kind = 4,
            (Version, None, 16),
            ("1 (weights), 2 (text index) or 3 (image index)", 4),
        ),
        case(
            "kind zero",
            |f| f.kind = 0,
            (Version, None, 16),
            ("1 (weights), 2 (text index) or 3 (image index)", 0),
        ),
        case(
            "a file shorter than its header says",
            |f| f.file_len = Some(FILE_LEN + 1),
            (Truncated, None, FILE_LEN),
            (format!("{} bytes", FILE_LEN + 1), FILE_LEN),
        ),
        case(
            "a file of 2^64 - 1 bytes",
            |f| f.file_len = Some(u64::MAX),
            (Truncated, None, FILE_LEN),
            (format!("{} bytes", u64::MAX), FILE_LEN),
        ),
        case(
            "a file longer than its header says",
            |f| f.file_len = Some(FILE_LEN - 1),
            (Corrupt, None, FILE_LEN - 1),
            (format!("{} bytes", FILE_LEN - 1), FILE_LEN),
        ),
        case(
            "bytes appended",
            |f| {
                f.file_len = Some(FILE_LEN);
                f.body.push(0);
            },
            (Corrupt, None, FILE_LEN),
            (format!("{FILE_LEN} bytes"), FILE_LEN + 1),
        ),
    ]
}

/// What a header with another table length holds as its hash, and what its hash is.
fn root_with_table_len(len: u32) -> (Hash, Hash) {
    let mut forge = Forge::small();
    forge.table_len = Some(len);
    let file = forge.bytes();
    let stored = Hash::from_bytes(file[32..64].try_into().unwrap());
    (
        stored,
        Hash::of(&[&file[..32], &file[64..64 + len as usize]].concat()),
    )
}

fn table_cases() -> Vec<Case> {
    use ErrorKind::Corrupt;
    let entry = |name, offset, len| Entry {
        name,
        revision: 1,
        bulk: 1,
        offset,
        len,
        hash: Hash::of(b""),
    };
    let names = "1 to 48 of a-z, 0-9, `.`, `_`, `-`";
    const LONG_NAME: &str = "a-name-of-forty-nine-bytes-is-one-longer-than-ok.";
    assert_eq!(LONG_NAME.len(), 49);
    let in_bincode = "a section in bincode";
    let mut long_count = Vec::new();
    number(&mut long_count, u64::MAX);
    let spelled_long = {
        let mut table = Forge::small().bytes()[64..TABLE_END as usize].to_vec();
        table.splice(0..1, [251, 3, 0]);
        table
    };
    vec![
        case(
            "no table at all",
            |f| f.table = Some(vec![]),
            (Corrupt, None, 64),
            (in_bincode, "UnexpectedEnd { additional: 1 }"),
        ),
        case(
            "65 sections",
            |f| f.count = Some(65),
            (Corrupt, None, 64),
            ("at most 64", 65),
        ),
        case(
            "2^64 - 1 sections",
            |f| f.table = Some(long_count.clone()),
            (Corrupt, None, 64),
            ("at most 64", u64::MAX),
        ),
        case(
            "fewer entries than counted",
            |f| f.count = Some(4),
            (Corrupt, None, TABLE_END),
            (in_bincode, "UnexpectedEnd { additional: 1 }"),
        ),
        case(
            "more entries than counted",
            |f| f.count = Some(2),
            (Corrupt, None, DATA_ENTRY),
            (format!("{} bytes", DATA_ENTRY - 64), TABLE_END - 64),
        ),
        case(
            "a byte after the last entry",
            |f| f.table_tail = vec![0],
            (Corrupt, None, TABLE_END),
            (format!("{} bytes", TABLE_END - 64), TABLE_END - 63),
        ),
        case(
            "a name of 2^63 bytes",
            |f| f.table = Some([&[1, 253][..], &(1u64 << 63).to_le_bytes()].concat()),
            (Corrupt, None, META_ENTRY),
            (in_bincode, "LimitExceeded"),
        ),
        case(
            "a name that is not UTF-8",
            |f| f.table = Some(vec![1, 2, 0xc3, 0x28, 1, 0]),
            (Corrupt, None, META_ENTRY),
            (
                in_bincode,
                "Utf8 { inner: Utf8Error { valid_up_to: 0, error_len: Some(1) } }",
            ),
        ),
        case(
            "a flag that is neither",
            |f| f.entries[2].bulk = 2,
            (Corrupt, None, DATA_ENTRY),
            (in_bincode, "InvalidBooleanValue(2)"),
        ),
        case(
            "a revision of more than 32 bits",
            |f| f.entries[1].revision = 1 << 32,
            (Corrupt, None, EMPTY_ENTRY),
            (
                in_bincode,
                "InvalidIntegerType { expected: U32, found: U64 }",
            ),
        ),
        case(
            "an empty name",
            |f| f.entries[1].name = "",
            (Corrupt, Some(""), EMPTY_ENTRY),
            (names, "\"\""),
        ),
        case(
            "a name too long",
            |f| f.entries[1].name = LONG_NAME,
            (Corrupt, Some(LONG_NAME), EMPTY_ENTRY),
            (names, format!("{LONG_NAME:?}")),
        ),
        case(
            "a name with a slash",
            |f| f.entries[1].name = "a/b",
            (Corrupt, Some("a/b"), EMPTY_ENTRY),
            (names, "\"a/b\""),
        ),
        case(
            "a name used twice",
            |f| f.entries[2].name = "meta",
            (Corrupt, Some("meta"), DATA_ENTRY),
            ("names used once", "meta"),
        ),
        case(
            "numbers spelled longer than they need",
            |f| f.table = Some(spelled_long.clone()),
            (Corrupt, None, 64),
            ("each number in as few bytes as it needs", "longer ones"),
        ),
        case(
            "a section that is not aligned",
            |f| f.entries[2].offset = 12289,
            (Corrupt, Some("data"), DATA_ENTRY),
            ("a start that is a multiple of 4096", 12289),
        ),
        case(
            "a section over the table",
            |f| f.entries[0].offset = 4096,
            (Corrupt, Some("meta"), META_ENTRY),
            ("a start of 8192 or later", 4096),
        ),
        case(
            "a section over the header",
            |f| f.entries[0].offset = 0,
            (Corrupt, Some("meta"), META_ENTRY),
            ("a start of 8192 or later", 0),
        ),
        case(
            "sections that overlap",
            |f| f.entries[2].offset = 8192,
            (Corrupt, Some("data"), DATA_ENTRY),
            ("a start of 12288 or later", 8192),
        ),
        case(
            "sections out of order",
            |f| f.entries.swap(0, 2),
            (Corrupt, Some("data"), META_ENTRY),
            ("a start of 8192", 12288),
        ),
        case(
            "a gap before the first section",
            |f| f.entries = vec![entry("data", 12288, 8)],
            (Corrupt, Some("data"), META_ENTRY),
            ("a start of 8192", 12288),
        ),
        case(
            "a gap between sections",
            |f| {
                f.body.resize(8192 + 8, 0);
                f.entries[2].offset = 16384;
            },
            (Corrupt, Some("data"), DATA_ENTRY),
            ("a start of 12288", 16384),
        ),
        case(
            "a section past the end",
            |f| f.entries[2].len = 9,
            (Corrupt, Some("data"), DATA_ENTRY),
            (format!("an end of at most {FILE_LEN}"), FILE_LEN + 1),
        ),
        case(
            "a section whose end overflows",
            |f| f.entries[2].len = u64::MAX,
            (Corrupt, Some("data"), DATA_ENTRY),
            (
                format!("an end of at most {FILE_LEN}"),
                format!("12288 + {}", u64::MAX),
            ),
        ),
        case(
            "a section at the end of the address space",
            |f| f.entries[2].offset = u64::MAX - 4095,
            (Corrupt, Some("data"), DATA_ENTRY),
            (format!("an end of at most {FILE_LEN}"), u64::MAX - 4095 + 8),
        ),
        case(
            "bytes that belong to no section",
            |f| f.entries[2].len = 7,
            (Corrupt, None, 64),
            (format!("a file of {} bytes", FILE_LEN - 1), FILE_LEN),
        ),
        case(
            "a file that ends in padding",
            |f| f.body.resize(8192, 0),
            (Corrupt, None, 64),
            (format!("a file of {FILE_LEN} bytes"), 16384),
        ),
    ]
}

fn content_cases() -> Vec<Case> {
    use crate::forge::META;
    use ErrorKind::Corrupt;
    vec![
        case(
            "padding after the table",
            |f| f.padding = 0xff,
            (Corrupt, Some("meta"), TABLE_END),
            (0, 255),
        ),
        case(
            "padding between sections",
            |f| f.body[4095] = 1,
            (Corrupt, Some("empty"), 12287),
            (0, 1),
        ),
        case(
            "a section's bytes",
            |f| f.body[0] = 4,
            (Corrupt, Some("meta"), 8192),
            (Hash::of(META), Hash::of(b"\x04one")),
        ),
        case(
            "a section's hash",
            |f| f.entries[0].hash = Hash::of(b"wrong"),
            (Corrupt, Some("meta"), 8192),
            (Hash::of(b"wrong"), Hash::of(META)),
        ),
        case(
            "the hash of an empty section",
            |f| f.entries[1].hash = Hash::of(b"wrong"),
            (Corrupt, Some("empty"), 12288),
            (Hash::of(b"wrong"), Hash::of(b"")),
        ),
    ]
}

#[test]
fn each_broken_rule_is_an_error_that_tells_where_and_what() {
    let cases = header_cases()
        .into_iter()
        .chain(table_cases())
        .chain(content_cases());
    for case in cases {
        let (_folder, path) = folder_with("x.weights", &case.file);
        for load in [Load::Map, Load::Copy] {
            let options = OpenOptions {
                load,
                verify: Verify::Quick,
            };
            let error = Container::open(&path, Kind::Weights, options).expect_err(case.rule);
            let rule = format!("{}: {error}", case.rule);
            assert_eq!(error.kind(), case.kind, "{rule}");
            assert_eq!(error.path(), Some(&*path), "{rule}");
            assert_eq!(error.section(), case.section, "{rule}");
            assert_eq!(error.offset(), Some(case.offset), "{rule}");
            assert_eq!(error.expected(), Some(&*case.expected), "{rule}");
            assert_eq!(error.got(), Some(&*case.got), "{rule}");
            // The message for a person holds all of it, and ends with what to do.
            let mut parts = vec![
                path.display().to_string(),
                format!("at byte {}", case.offset),
                case.expected.clone(),
                case.got.clone(),
            ];
            parts.extend(case.section.map(|name| format!("section `{name}`")));
            for part in parts {
                assert!(rule.contains(&part), "{rule} lacks {part}");
            }
            assert!(rule.ends_with('.'), "{rule} does not say how to mend it");
        }
    }
}

#[test]
fn the_file_that_the_cases_break_is_sound() {
    let (_folder, path) = folder_with("x.weights", &Forge::small().bytes());
    let options = OpenOptions {
        load: Load::Map,
        verify: Verify::Full,
    };
    Container::open(&path, Kind::Weights, options).unwrap();
}

#[test]
fn bulk_sections_are_hashed_only_under_full_verification() {
    let mut forge = Forge::small();
    forge.body[4096] ^= 1;
    let (_folder, path) = folder_with("x.weights", &forge.bytes());
    let open = |verify| {
        Container::open(
            &path,
            Kind::Weights,
            OpenOptions {
                load: Load::Map,
                verify,
            },
        )
    };
    let container = open(Verify::Quick).unwrap();
    for error in [
        open(Verify::Full).unwrap_err(),
        container.verify(&mut |_, _| {}).unwrap_err(),
    ] {
        assert_eq!(
            (error.kind(), error.section(), error.offset()),
            (ErrorKind::Corrupt, Some("data"), Some(12288))
        );
    }
}

#[test]
fn a_file_of_another_kind_is_called_by_its_kind() {
    let (_folder, path) = folder_with("x.index", &Forge::small().bytes());
    let error = Container::open(&path, Kind::TextIndex, OpenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongKind);
    assert_eq!(
        (error.expected(), error.got()),
        (Some("text index"), Some("weights"))
    );
    assert_eq!(
        Container::open_any(&path, OpenOptions::default())
            .unwrap()
            .kind(),
        Kind::Weights
    );
}

//! Blocks made on other threads, dictionaries of several origins, and merging.

use super::*;

fn all(store: &ValueStore) -> Vec<Value> {
    (0..store.len())
        .map(|number| store.get(number).unwrap())
        .collect()
}

/// What `paragraphs` gives, with other words.
fn others(count: usize) -> Vec<Value> {
    let mut values = paragraphs(count);
    for value in &mut values {
        value.text = value.text.replace("the", "der").replace("river", "Fluss");
        value.title.push('!');
    }
    values
}

fn blocks_of(values: &[Value]) -> Vec<PlainBlock> {
    let (mut builder, mut blocks) = (BlockBuilder::default(), Vec::new());
    for value in values {
        builder
            .add(&value.id, &value.title, &value.text, &mut blocks)
            .unwrap();
    }
    blocks.extend(builder.close());
    blocks
}

#[test]
fn blocks_compressed_on_any_number_of_threads_make_the_bytes_that_adding_makes() {
    let folder = tempfile::tempdir().unwrap();
    let (one, many) = (folder.path().join("1.index"), folder.path().join("n.index"));
    let values = paragraphs(5000);
    write(&one, &values);
    for threads in [1, 3] {
        let mut waiting = Waiting::default();
        for block in blocks_of(&values) {
            assert!(!waiting.add(block));
        }
        let (learned, blocks) = waiting.learn(LEVEL).unwrap();
        assert!(!learned.bytes().is_empty());
        // As after a kill: from the bytes that were put by.
        let learned = Learned::new(learned.bytes().to_vec(), LEVEL).unwrap();
        let (blocks, learned) = (&blocks, &learned);
        let stored: Vec<Vec<Vec<u8>>> = std::thread::scope(|scope| {
            let work = |start: usize| {
                move || {
                    let mut compressor = Compressor::new(learned).unwrap();
                    let mine = blocks.iter().skip(start).step_by(threads);
                    mine.map(|block| compressor.compress(block).unwrap())
                        .collect()
                }
            };
            let running: Vec<_> = (0..threads).map(|n| scope.spawn(work(n))).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let mut writer = Writer::create(&many, Kind::TextIndex).unwrap();
        let mut store = ValueWriter::begin(&mut writer).unwrap();
        let number = store.dictionary(learned.bytes());
        let mut next = 0;
        for (place, block) in blocks.iter().enumerate() {
            let stored = &stored[place % threads][place / threads];
            assert_eq!(store.put(&mut writer, stored, number).unwrap(), next);
            next += block.records();
        }
        store.finish(&mut writer).unwrap();
        writer.finish().unwrap();
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&many).unwrap());
    }
}

#[test]
fn whole_blocks_are_copied_as_they_are_and_bring_their_dictionaries() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, merged, again] =
        ["1", "2", "m", "a"].map(|name| folder.path().join(name).with_extension("index"));
    let (first, second) = (paragraphs(3000), others(2500));
    write(&one, &first);
    write(&two, &second);
    let (one, two) = (open(&one, 3000).unwrap(), open(&two, 2500).unwrap());
    let write = |path: &Path, stores: &[&ValueStore]| {
        let mut writer = Writer::create(path, Kind::TextIndex).unwrap();
        let mut values = ValueWriter::begin(&mut writer).unwrap();
        for store in stores {
            values.copy(&mut writer, store, |_| true).unwrap();
        }
        values.finish(&mut writer).unwrap();
        writer.finish().unwrap();
        let len = stores.iter().map(|store| store.len() as usize).sum();
        open(path, len).unwrap()
    };
    let store = write(&merged, &[&one, &two]);
    let both = [first.clone(), second.clone()].concat();
    assert!(all(&store) == both);
    // Only the checksums and numbers of the second one's blocks are others.
    assert!(store.values.starts_with(&one.values));
    assert_eq!(store.values.len(), one.values.len() + two.values.len());
    assert_eq!(store.shared.dictionaries.len(), 2);
    // A dictionary that is there already is not brought again.
    let store = write(&again, &[&store, &one, &two]);
    assert_eq!(store.shared.dictionaries.len(), 2);
    assert!(all(&store) == [both, first, second].concat());
}

#[test]
fn what_is_not_kept_is_gone_and_the_rest_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let values = paragraphs(3000);
    let path = folder.path().join("1.index");
    write(&path, &values);
    let source = open(&path, values.len()).unwrap();
    type Keep = fn(u32) -> bool;
    let cases: [(&str, Keep); 5] = [
        ("none", |_| false),
        ("one", |number| number == 1234),
        ("every other", |number| number % 2 == 0),
        ("most", |number| number % 500 != 3),
        ("the middle", |number| (1000..2000).contains(&number)),
    ];
    for (name, keep) in cases {
        let path = folder.path().join("2.index");
        let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
        let mut store = ValueWriter::begin(&mut writer).unwrap();
        // Values before and after come from elsewhere.
        store.add(&mut writer, "a", "A", "before").unwrap();
        let mut asked = 0..;
        store
            .copy(&mut writer, &source, |number| {
                assert_eq!(Some(number), asked.next());
                keep(number)
            })
            .unwrap();
        let after = store.add(&mut writer, "z", "Z", "after").unwrap();
        store.finish(&mut writer).unwrap();
        writer.finish().unwrap();
        let kept = (0..).zip(&values).filter(|(number, _)| keep(*number));
        let mut expected: Vec<Value> = kept.map(|(_, value)| value.clone()).collect();
        let one = |id: &str, text: &str| Value {
            id: id.to_lowercase(),
            title: id.to_owned(),
            text: text.to_owned(),
        };
        expected.insert(0, one("A", "before"));
        expected.push(one("Z", "after"));
        assert_eq!(after as usize, expected.len() - 1, "{name}");
        assert!(
            all(&open(&path, expected.len()).unwrap()) == expected,
            "{name}"
        );
    }
}

#[test]
fn more_dictionaries_than_a_file_can_hold_or_keep_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.index");
    let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
    let mut store = ValueWriter::begin(&mut writer).unwrap();
    let mut expected = Vec::new();
    let mut numbers = std::collections::HashSet::new();
    for corpus in 0..block::MAX_DICTIONARIES + 6 {
        // A dictionary need not be one of zstd's own: any bytes will do.
        let text = format!("the {corpus} dictionary of {} ", corpus * 7).repeat(2000);
        let values = [value(corpus, text[..1000].to_owned())];
        let mut learned = Learned::new(text.into_bytes(), 3).unwrap();
        let number = store.dictionary(learned.bytes());
        if let Some(number) = number {
            assert!(numbers.insert(number));
            assert_eq!(store.dictionary(learned.bytes()), Some(number));
        } else {
            learned = Learned::new(Vec::new(), 3).unwrap();
        }
        let mut compressor = Compressor::new(&learned).unwrap();
        for block in blocks_of(&values) {
            let block = compressor.compress(&block).unwrap();
            store.put(&mut writer, &block, number).unwrap();
        }
        expected.extend(values);
    }
    assert_eq!(numbers.len(), block::MAX_DICTIONARIES);
    store.finish(&mut writer).unwrap();
    writer.finish().unwrap();
    let store = open(&path, expected.len()).unwrap();
    assert!(all(&store) == expected && all(&store) == expected);
    let kept = store.shared.dictionaries.kept();
    assert!(kept > 7 << 20 && kept <= 8 << 20, "{kept}");
    // A file that is full takes no more dictionaries, so blocks that need others are compressed anew.
    let folder = tempfile::tempdir().unwrap();
    let one = folder.path().join("1.index");
    write(&one, &paragraphs(3000));
    let one = open(&one, 3000).unwrap();
    let path = folder.path().join("2.index");
    let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
    let mut values = ValueWriter::begin(&mut writer).unwrap();
    values.copy(&mut writer, &store, |_| true).unwrap();
    values.copy(&mut writer, &one, |_| true).unwrap();
    values.finish(&mut writer).unwrap();
    writer.finish().unwrap();
    expected.extend(paragraphs(3000));
    assert!(all(&open(&path, expected.len()).unwrap()) == expected);
}

#[test]
fn a_damaged_block_is_not_put() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.index");
    let mut writer = Writer::create(&path, Kind::TextIndex).unwrap();
    let mut store = ValueWriter::begin(&mut writer).unwrap();
    let learned = Learned::new(Vec::new(), LEVEL).unwrap();
    let block = &blocks_of(&paragraphs(10))[0];
    let good = Compressor::new(&learned).unwrap().compress(block).unwrap();
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 16;
        assert!(store.put(&mut writer, &bad, None).is_err());
        assert!(store.put(&mut writer, &good[..place], None).is_err());
    }
    assert_eq!(store.put(&mut writer, &good, None).unwrap(), 0);
}

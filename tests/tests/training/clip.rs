//! `train clip` on a small world.

use crate::made::{files, text};
use morelet_tests::{Workshop, lines, tools};
use std::fs;

#[test]
fn clip_learns_which_picture_is_which_and_is_the_same_again() {
    let workshop = Workshop::new(tools!());
    let world = workshop.path("world");
    let small = [
        "--articles",
        "200",
        "--train",
        "4",
        "--dev",
        "4",
        "--test",
        "4",
        "--gate",
        "4",
    ];
    let line = ["world", "-o", text(&world)];
    workshop.tools.convert(line.iter().chain(&small)).ok();
    let at = |name: &str| text(&world.join("clip").join(name)).to_owned();
    let (train, dev, tokenizer) = (at("train.jsonl"), at("dev.jsonl"), at("tokenizer.json"));
    let run = |to: &str| {
        let to = workshop.path(to);
        let mut line = vec![
            "train",
            "clip",
            "-o",
            text(&to),
            "--train",
            &train,
            "--dev",
            &dev,
        ];
        line.extend(["--init", "random", "--tokenizer", &tokenizer]);
        line.extend(["--hidden", "32", "--layers", "1", "--image-size", "32"]);
        line.extend(["--patch-size", "8", "--rate", "3e-3", "--epochs", "6"]);
        line.extend(["--device", "cpu", "--threads", "1"]);
        workshop.tools.convert(line)
    };
    run("clip").ok();
    let metrics = lines(workshop.path("clip/metrics.jsonl"));
    let captions = |at: usize| metrics[at]["dev"]["captions"].as_f64().expect("a share");
    // Of 23 captions the right one: by chance one in 23.
    assert!(
        captions(5) > 25.0 && captions(5) > captions(0),
        "{metrics:?}"
    );
    run("again").ok();
    let [one, two] = ["clip", "again"].map(|name| files(&workshop.path(name)));
    assert!(one["model.safetensors"] == two["model.safetensors"]);

    let weights = workshop.path("clip.weights");
    let clip = workshop.path("clip");
    workshop
        .tools
        .convert(["model", text(&clip), "-o", text(&weights)])
        .ok();
    // It goes on from a checkpoint, too, which has its tokenizer; and pictures that are none are named.
    let from = ["--init", text(&clip), "--epochs", "1"];
    let line = [
        "train",
        "clip",
        "-o",
        text(&clip),
        "--train",
        &train,
        "--dev",
        &dev,
    ];
    workshop.tools.convert(line.iter().chain(&from)).ok();
    let bad = workshop.path("bad.jsonl");
    fs::write(&bad, "{\"text\": \"a dog\", \"images\": [\"bad.jsonl\"]}\n").expect("a file");
    let line = [
        "train",
        "clip",
        "-o",
        text(&clip),
        "--train",
        text(&bad),
        "--dev",
        &dev,
    ];
    let before = files(&clip);
    workshop
        .tools
        .convert(line.iter().chain(&from))
        .refused(1, &["bad.jsonl"]);
    assert!(files(&clip) == before);
}

//! The document: tables in the order of the paper.

use super::costs::{self, Cost};
use super::figures::Figures;
use super::markdown::{head, line, row};
use super::sets::Set;
use super::systems::{Fusion, MOE, PAIRS, Scores, System, TEXT_AND_IMAGE};
use serde_json::Value;
use std::collections::BTreeSet;

/// F1 of the paper's systems on Twitter-2015, Twitter-2017, SNAP and WikiDiverse, as the README of its code repeats them
/// (AdaSeq, `examples/MoRe`). It has none for MoE, nor for relations.
const PAPER: [(&str, [&str; 4]); 4] = [
    ("none", ["77.04", "89.11", "89.65", "76.58"]),
    ("text", ["77.79", "89.49", "90.06", "78.29"]),
    ("image", ["77.57", "90.28", "90.46", "77.81"]),
    ("gate-text-image", ["–", "–", "–", "–"]),
];

/// A set with its scores.
pub(crate) type Scored<'a> = (&'a Set, &'a Scores);

/// What there is to tell.
pub(crate) struct Findings<'a> {
    pub(crate) world: Vec<Scored<'a>>,
    pub(crate) real: Vec<Scored<'a>>,
    pub(crate) costs: Vec<Cost>,
    pub(crate) seeds: u64,
    /// The line that makes it again.
    pub(crate) command: String,
}

/// Writes everything.
pub(crate) fn write(findings: &Findings<'_>) -> String {
    let Findings {
        world,
        real,
        costs,
        seeds,
        command,
    } = findings;
    let mut text = format!(
        "# The paper's tables\n\n\
         Made by `{command}`, which goes on where it was stopped. F1 in percent, mean ± standard deviation over {seeds} \
         seeds of the training.\n\n\
         **What this is, and what it is not.** The world is made up by a program (`morelet-convert world`), its experts are \
         small and learn from nothing in minutes, so the numbers cannot be compared with the paper's, whose experts are \
         XLM-R-large and learn from photographs of the real world; only their order can. Entities of the test sentences \
         occur in no training sentence. The paper's own figures stand beside ours where the README of its code repeats \
         them; there are none for MoE and for relations.\n"
    );
    if !world.is_empty() {
        table2(&mut text, world);
        table3(&mut text, world);
        table4(&mut text, world);
        table5(&mut text, world);
        table6(&mut text, world);
    }
    if !real.is_empty() {
        real_text(&mut text, real);
    }
    if !costs.is_empty() {
        costs::write(&mut text, costs);
    }
    text
}

fn title(system: &System) -> &'static str {
    match system {
        System::Single("none") => "Baseline, no contexts",
        System::Single("text") => "MoRe-Text",
        System::Single("image") => "MoRe-Image",
        System::Single("random-text") => "Text, random contexts",
        System::Single("random-image") => "Image, random contexts",
        moe if *moe == MOE => "MoRe-MoE",
        System::Single(_) => "Expert",
        System::Fused(..) | System::Deployed(_) => "Two experts",
    }
}

fn fused(scores: &Scores, system: &System) -> Figures {
    Figures::of(scores.get(system).map_or(&[], Vec::as_slice), "/fused/f1")
}

fn table2(text: &mut String, world: &[Scored<'_>]) {
    line(text, "\n## Table 2: retrieval and fusion\n");
    let mut cells = vec!["".to_owned()];
    cells.extend(world.iter().map(|(set, _)| format!("ours, {}", set.title)));
    cells.extend(
        ["Twitter-2015", "Twitter-2017", "SNAP", "WikiDiverse"]
            .map(|name| format!("paper, {name}")),
    );
    head(text, &cells);
    let systems = ["none", "text", "image"].map(System::Single);
    for system in systems.iter().chain([&MOE]) {
        let paper = PAPER.iter().find(|(name, _)| *name == system.name());
        let paper = paper.map_or([""; 4], |(_, figures)| *figures);
        let ours = world
            .iter()
            .map(|(_, scores)| fused(scores, system).to_string());
        row(
            text,
            [title(system).to_owned()]
                .into_iter()
                .chain(ours)
                .chain(paper.map(str::to_owned)),
        );
    }
    line(text, "");
    for (set, scores) in world {
        line(text, format!("* {}: {}", set.title, order(scores)));
    }
}

/// Whether the order is the paper's: baseline < each single retrieval < MoE, each by more than the deviations of both.
fn order(scores: &Scores) -> String {
    let [none, text, image] =
        ["none", "text", "image"].map(|name| fused(scores, &System::Single(name)));
    let moe = fused(scores, &MOE);
    let pairs = [
        ("baseline", &none, "text", &text),
        ("baseline", &none, "image", &image),
        ("text", &text, "MoE", &moe),
        ("image", &image, "MoE", &moe),
    ];
    let missed = pairs.iter().filter(|(_, low, _, high)| {
        high.mean() - low.mean() <= low.deviation().max(high.deviation())
    });
    let missed: Vec<String> = missed
        .map(|(low, _, high, _)| format!("{low} < {high}"))
        .collect();
    if missed.is_empty() {
        return "the order is the paper's, each step larger than the deviations beside it"
            .to_owned();
    }
    format!("**not** by more than the deviation: {}", missed.join(", "))
}

fn table3(text: &mut String, world: &[Scored<'_>]) {
    line(text, "\n## Table 3: average and MoE, over which experts\n");
    line(
        text,
        "Experts with one kind of context differ by their seed. Gates learn from posts that the experts have not learned \
         from.\n",
    );
    let mut cells = vec!["Experts".to_owned()];
    for (set, _) in world {
        cells.extend([
            format!("average, {}", set.title),
            format!("MoE, {}", set.title),
        ]);
    }
    head(text, &cells);
    let two = TEXT_AND_IMAGE;
    let plain = |pair: [&'static str; 2]| {
        let [first, second] = pair;
        let by = [Fusion::Average, Fusion::Gate].map(|by| System::Fused(pair, by));
        (format!("{first} + {second}"), by.map(Some))
    };
    let otherwise = |told: &str, by| (told.to_owned(), [None, Some(System::Fused(two, by))]);
    let deployed = [Fusion::Average, Fusion::Gate].map(|by| Some(System::Deployed(by)));
    let rows = PAIRS.iter().map(|&pair| plain(pair)).chain([
        (
            "text + image in `q8`, the gate learned over these".to_owned(),
            deployed,
        ),
        otherwise("text + image, one weight for all labels", Fusion::Scalar),
        otherwise(
            "text + image, learned by the mixture as it is",
            Fusion::Unnormalized,
        ),
    ]);
    for (told, systems) in rows {
        let mut cells = vec![told];
        for (_, scores) in world {
            let figures = systems.iter().map(|system| match system {
                Some(system) => fused(scores, system).to_string(),
                None => String::new(),
            });
            cells.extend(figures);
        }
        row(text, cells);
    }
    line(text, "");
    for (set, scores) in world {
        let gains = |average: System, gate: System| {
            let [average, gate] = [average, gate].map(|system| fused(scores, &system).0);
            let gains = gate
                .iter()
                .zip(&average)
                .map(|(gate, average)| gate - average);
            Figures(gains.collect())
        };
        line(
            text,
            format!(
                "* {}: MoE less average, text + image, seed by seed: {}; in `q8` {}",
                set.title,
                gains(System::Fused(two, Fusion::Average), MOE),
                gains(
                    System::Deployed(Fusion::Average),
                    System::Deployed(Fusion::Gate)
                ),
            ),
        );
    }
}

fn table4(text: &mut String, world: &[Scored<'_>]) {
    let systems = [
        System::Single("none"),
        System::Single("text"),
        System::Single("image"),
        MOE,
    ];
    for (set, scores) in world {
        line(
            text,
            format!("\n## Table 4: by {}, {}\n", by(set), set.title),
        );
        if set.task() == "re" {
            line(text, "`/per/org/member_of` counts for per and for org.\n");
        }
        let types: BTreeSet<String> = scores.values().flatten().flat_map(types).collect();
        let mut cells = vec!["".to_owned()];
        cells.extend(types.iter().map(|name| name.to_uppercase()));
        head(text, &cells);
        for system in &systems {
            let of = scores.get(system).map_or(&[][..], Vec::as_slice);
            let figures = types.iter().map(|name| {
                Figures(of.iter().map(|score| by_type(score, name)).collect()).to_string()
            });
            row(text, [title(system).to_owned()].into_iter().chain(figures));
        }
    }
}

fn by(set: &Set) -> &'static str {
    match set.task() {
        "re" => "entity type",
        _ => "label",
    }
}

/// The entity types that a label is about: itself, or the two of a relation.
fn parts(label: &str) -> Vec<String> {
    match label.strip_prefix('/') {
        Some(relation) => relation.split('/').take(2).map(str::to_owned).collect(),
        None => vec![label.to_owned()],
    }
}

fn labels(score: &Value) -> impl Iterator<Item = (&String, &Value)> {
    score
        .pointer("/fused/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn types(score: &Value) -> Vec<String> {
    labels(score).flat_map(|(label, _)| parts(label)).collect()
}

/// F1 over all labels that are about a type.
fn by_type(score: &Value, name: &str) -> f64 {
    let (mut correct, mut predicted, mut gold) = (0.0, 0.0, 0.0);
    for (label, counts) in labels(score) {
        if parts(label).iter().any(|part| part == name) {
            let count = |key: &str| counts[key].as_f64().unwrap_or(0.0);
            correct += count("correct");
            predicted += count("predicted");
            gold += count("gold");
        }
    }
    match predicted + gold {
        0.0 => 0.0,
        sum => 200.0 * correct / sum,
    }
}

fn table5(text: &mut String, world: &[Scored<'_>]) {
    line(text, "\n## Table 5: contexts drawn at random\n");
    line(
        text,
        "Trained and tested with as many paragraphs, drawn at random instead of retrieved.\n",
    );
    let mut cells = vec!["".to_owned()];
    cells.extend(world.iter().map(|(set, _)| set.title.clone()));
    head(text, &cells);
    for name in ["none", "random-text", "text", "random-image", "image"] {
        let system = System::Single(name);
        let ours = world
            .iter()
            .map(|(_, scores)| fused(scores, &system).to_string());
        row(text, [title(&system).to_owned()].into_iter().chain(ours));
    }
}

fn table6(text: &mut String, world: &[Scored<'_>]) {
    line(text, "\n## Table 6: marginals and Viterbi\n");
    head(
        text,
        &[
            "Expert, entities".to_owned(),
            "marginals".to_owned(),
            "Viterbi".to_owned(),
        ],
    );
    for (_, scores) in world.iter().filter(|(set, _)| set.task() == "ner") {
        for name in ["none", "text", "image"] {
            let system = System::Single(name);
            let of = scores.get(&system).map_or(&[][..], Vec::as_slice);
            let marginals = Figures::of(of, "/fused/f1").to_string();
            let viterbi = Figures::of(of, &format!("/experts/{name}/viterbi/f1")).to_string();
            row(text, [title(&system).to_owned(), marginals, viterbi]);
        }
    }
}

fn real_text(text: &mut String, real: &[Scored<'_>]) {
    line(text, "\n## Real sentences, text alone\n");
    line(
        text,
        "The paper's sentences without their pictures, which cannot be had here, and paragraphs of \
         Wikipedia. **No expert is pretrained**: small ones that start from nothing on a few thousand tweets. What a \
         pretrained model does with the same contexts, this does not say.\n",
    );
    let mut cells = vec!["".to_owned()];
    cells.extend(real.iter().map(|(set, _)| set.title.clone()));
    head(text, &cells);
    for name in ["none", "text"] {
        let system = System::Single(name);
        let ours = real
            .iter()
            .map(|(_, scores)| fused(scores, &system).to_string());
        row(text, [title(&system).to_owned()].into_iter().chain(ours));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_relation_counts_for_both_of_its_types_and_once_where_they_are_one() {
        let score = json!({"fused": {"labels": {
            "/per/org/member_of": {"correct": 1, "predicted": 2, "gold": 2},
            "/per/per/peer": {"correct": 1, "predicted": 1, "gold": 3},
        }}});
        assert_eq!(
            types(&score)
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>(),
            ["org", "per"]
        );
        assert_eq!(by_type(&score, "org"), 50.0);
        // 2 right of 3 predicted and 5 there.
        assert_eq!(by_type(&score, "per"), 50.0);
        assert_eq!(by_type(&score, "loc"), 0.0);
    }

    #[test]
    fn the_order_asks_for_more_than_the_deviation() {
        let score = |f1: f64| json!({"fused": {"f1": f1}});
        let scores = |moe: [f64; 2]| {
            let mut scores = Scores::new();
            let singles = [("none", 40.0), ("text", 50.0), ("image", 52.0)];
            for (name, f1) in singles {
                scores.insert(System::Single(name), vec![score(f1), score(f1 + 1.0)]);
            }
            scores.insert(MOE, moe.map(score).to_vec());
            scores
        };
        assert!(order(&scores([60.0, 61.0])).starts_with("the order is the paper's"));
        assert!(order(&scores([52.0, 54.0])).contains("image < MoE"));
    }
}

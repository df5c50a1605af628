//! What the paper's Table 7 says of the same modules, for scale.

use super::times::Times;
use crate::Named;
use serde::Serialize;

/// Queries a second in the paper (Wang et al., Findings of EMNLP 2022, Table 7), on a V100, with a server between: other hardware,
/// other corpora, and the cost of the client inside.
const FIGURES: [(&str, f64, &str); 3] = [
    ("text_retrieval", 64.6, "ElasticSearch"),
    ("image_retrieval", 650.1, "Faiss, 4 million vectors"),
    ("clip_image", 6.4, "CLIP feature extraction"),
];

/// One figure of the paper beside ours.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Beside {
    /// Queries a second here, one after the other, by the mean.
    pub here: f64,
    /// In the paper.
    pub paper: f64,
    /// What did it there.
    pub by: &'static str,
}

/// Those modules that the paper has a figure of.
pub(super) fn beside(modules: &Named<Times>) -> Named<Beside> {
    let of = |(module, paper, by): (&str, f64, &'static str)| {
        let here = modules.get(module)?.per_second();
        Some((module.to_owned(), Beside { here, paper, by }))
    };
    FIGURES.into_iter().filter_map(of).collect()
}

/// The same in words.
pub(super) fn lines(beside: &Named<Beside>) -> String {
    beside
        .iter()
        .map(|(module, Beside { here, paper, by })| {
            format!("{module}: {here:.1} a second; the paper, on a V100: {paper} ({by})\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modules_that_ran_are_compared() {
        let modules: Named<Times> = [("clip_image".to_owned(), Times::of(&[10_000, 30_000]))]
            .into_iter()
            .collect();
        let beside = beside(&modules);
        assert_eq!(beside.len(), 1);
        let text = lines(&beside);
        assert!(text.starts_with("clip_image: 50.0 a second"), "{text}");
    }
}

//! How hard retrieval tries, as options.

use super::Console;
use crate::{Bundle, Effort, ImageEffort};

/// The first of some options that was given.
pub(super) fn first_given(
    options: impl IntoIterator<Item = (bool, &'static str)>,
) -> Option<&'static str> {
    options
        .into_iter()
        .find_map(|(given, flag)| given.then_some(flag))
}

/// How hard retrieval tries, where models read what it finds.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct RetrievalArgs {
    /// How hard text retrieval tries, from 0 to 1. 1 finds exactly the best; less is an unsafe mode for hard time limits,
    /// which is faster and may miss some. `morelet bench` prints how many it missed
    #[arg(long, value_name = "X", default_value_t = Effort::EXACT, allow_negative_numbers = true)]
    pub effort: Effort,
    #[command(flatten)]
    pub image: ImageSearchArgs,
}

/// How an image index is searched.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct ImageSearchArgs {
    #[command(flatten)]
    pub effort: ImageEffortArgs,
    /// Read the image index, but for its values, into memory first, so that the first searches need not wait for the disk
    #[arg(long)]
    pub prefault: bool,
}

/// How hard image retrieval tries: one of these, or none.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(id = "image_effort", multiple = false)]
pub(super) struct ImageEffortArgs {
    /// How many candidates a search for pictures keeps; more find more of the nearest, and take longer [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    ef: Option<u32>,
    /// Find this part of the ten nearest pictures, above 0 and at most 1: keep as few candidates as were measured to, when the
    /// index was made. `morelet inspect` prints what was measured
    #[arg(long, value_name = "R", value_parser = recall, allow_negative_numbers = true)]
    recall: Option<f32>,
    /// Compare with every picture: the truth that a recall is measured against
    #[arg(long)]
    exact: bool,
}

impl ImageEffortArgs {
    /// What they come to.
    pub fn effort(&self) -> ImageEffort {
        match (self.ef, self.recall) {
            _ if self.exact => ImageEffort::Exact,
            (Some(ef), _) => ImageEffort::Ef(ef),
            (None, Some(recall)) => ImageEffort::Recall(recall),
            (None, None) => ImageEffort::Default,
        }
    }
}

impl ImageSearchArgs {
    /// The first of these options that was given.
    pub fn first_given(&self) -> Option<&'static str> {
        first_given([
            (self.effort.ef.is_some(), "--ef"),
            (self.effort.recall.is_some(), "--recall"),
            (self.effort.exact, "--exact"),
            (self.prefault, "--prefault"),
        ])
    }
}

impl RetrievalArgs {
    /// Says which of the options no expert of the bundle will notice.
    pub fn tell_what_changes_nothing(&self, bundle: &Bundle, console: &Console) {
        if !self.effort.is_exact() && !bundle.reads_text_index() {
            console.say("note: no expert of the bundle reads what a text index finds: --effort changes nothing");
        }
        if let Some(flag) = self.image.first_given()
            && !bundle.reads_image_index()
        {
            console.say(format_args!(
                "note: no expert of the bundle reads what an image index finds: {flag} changes nothing"
            ));
        }
    }
}

fn recall(text: &str) -> Result<f32, String> {
    let recall = text.parse().ok();
    recall
        .filter(|&recall| ImageEffort::recall(recall).is_ok())
        .ok_or_else(|| "expected a number above 0 and at most 1".to_owned())
}

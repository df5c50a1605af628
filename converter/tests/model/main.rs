//! `morelet-convert model` on checkpoints that torch and transformers wrote (`tests/data/make.py`), and on
//! the same ones with something wrong.

mod gate;
mod layouts;
mod made;
mod options;
mod refusals;
mod tokenizer;

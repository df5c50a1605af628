//! Experts with weights that can be followed by hand; those that PyTorch answers for are in `tests/`.

use std::path::Path;

use super::pooling::pool;
use super::*;
use crate::device::DeviceRequest;
use crate::error::ErrorKind;
use crate::tokenizer::tests::SMALL;
use crate::weights::{
    Activation, Architecture, Pooling, Precision, WeightsWriter, XlmrConfig, expected_tensors,
};
use crate::xlmr::read;
use burn::tensor::{Tensor, TensorData};

fn compute() -> Compute {
    Compute::with_threads(DeviceRequest::Cpu, Some(2)).unwrap()
}

/// An expert of one layer, d 4, in which every tensor is a ramp and every layer norm is plain.
fn meta(kind: ModelKind) -> Meta {
    let ner = kind == ModelKind::Ner;
    Meta {
        kind,
        producer: "a test".to_owned(),
        identity: "0".repeat(64),
        licence: None,
        attribution: None,
        quantization: "f32".to_owned(),
        architecture: Architecture::Xlmr(XlmrConfig {
            vocab_size: 9,
            hidden_size: 4,
            num_hidden_layers: 1,
            num_attention_heads: 2,
            intermediate_size: 6,
            max_position_embeddings: 14,
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::Gelu,
            pad_token_id: 1,
            bos_token_id: 0,
            eos_token_id: 2,
            unk_token_id: 3,
            max_length: 12,
            pooling: Pooling::First,
            separator: vec![2],
            crf: ner,
            head_norm: kind == ModelKind::Re,
        }),
        labels: match kind {
            ModelKind::Encoder => Vec::new(),
            _ => ["O", "B-X", "I-X"].map(str::to_owned).to_vec(),
        },
    }
}

fn write(path: &Path, meta: &Meta, precision: Precision, damage: impl Fn(&str, &mut Vec<f32>)) {
    let mut writer = WeightsWriter::create(path, meta, Some(SMALL.as_bytes())).unwrap();
    for (seed, (name, shape)) in expected_tensors(meta).into_iter().enumerate() {
        let count = shape.iter().product::<u64>() as usize;
        let mut values: Vec<f32> = match name.ends_with("norm.weight") {
            true => vec![1.0; count],
            false => (0..count)
                .map(|at| ((at * 5 + seed * 3) % 11) as f32 / 10.0 - 0.5)
                .collect(),
        };
        damage(&name, &mut values);
        writer.tensor(&name, &shape, precision, &values).unwrap();
    }
    writer.finish().unwrap();
}

fn load(meta: &Meta) -> Result<Expert> {
    load_on(meta, &compute())
}

fn load_on(meta: &Meta, compute: &Compute) -> Result<Expert> {
    load_with(meta, Precision::F32, compute)
}

fn load_as(meta: &Meta, precision: Precision) -> Result<Expert> {
    load_with(meta, precision, &compute())
}

fn load_with(meta: &Meta, precision: Precision, compute: &Compute) -> Result<Expert> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("expert.weights");
    write(&path, meta, precision, |_, _| {});
    Expert::load(Weights::open(&path, Default::default())?, compute, None)
}

const NONE: [&str; 0] = [];

#[test]
fn words_past_the_cut_have_no_rows() {
    let expert = load(&meta(ModelKind::Ner)).unwrap();
    let words = ["a"; 30];
    let output = expert.ner(&words, &["b b b"], &Cancel::new()).unwrap();
    assert!(output.truncated);
    assert_eq!(output.input.ids.len(), 12);
    for rows in [
        output.emissions.len(),
        output.marginals.len(),
        output.labels.len(),
    ] {
        assert_eq!(rows, 10);
    }
    assert_eq!(output.viterbi.unwrap().len(), 10);
    let output = expert.ner(&NONE, &NONE, &Cancel::new()).unwrap();
    assert_eq!(
        (output.input.ids, output.emissions.len(), output.truncated),
        (vec![0, 2], 0, false)
    );
}

#[test]
fn a_relation_whose_marker_is_lost_has_no_logits() {
    let expert = load(&meta(ModelKind::Re)).unwrap();
    let words = ["a"; 6];
    let run = |subject, object| {
        expert
            .re(&words, subject, object, &NONE, &Cancel::new())
            .unwrap()
    };
    // <s> <S> a </S> takes 1 2 1 2 ids, <O> a 2 1: the last three do not fit in 11.
    let output = run(0..1, 1..2);
    assert_eq!((output.logits.len(), output.truncated), (3, true));
    assert!((output.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let output = run(0..1, 5..6);
    assert_eq!(
        (
            output.logits.len(),
            output.probabilities.len(),
            output.truncated
        ),
        (0, 0, true)
    );
}

#[test]
fn equal_spans_and_runs_give_equal_answers_on_any_number_of_threads() {
    let expert = load(&meta(ModelKind::Ner)).unwrap();
    let run = || {
        expert
            .ner(&["a", "ab", "b"], &["b a"], &Cancel::new())
            .unwrap()
            .emissions
    };
    let first = run();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for answer in runs {
            assert_eq!(answer.join().unwrap(), first);
        }
    });
}

#[test]
fn a_cancelled_run_stops() {
    let expert = load(&meta(ModelKind::Ner)).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let error = expert.ner(&["a"], &NONE, &cancel).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn refuses_what_is_no_expert_and_work_of_the_other_kind() {
    let error = load(&meta(ModelKind::Encoder)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Model);
    assert!(error.to_string().contains("no head"), "{error}");
    let (ner, re) = (
        load(&meta(ModelKind::Ner)).unwrap(),
        load(&meta(ModelKind::Re)).unwrap(),
    );
    let cancel = Cancel::new();
    let error = re.ner(&["a"], &NONE, &cancel).unwrap_err().to_string();
    assert!(
        error.contains("expected an expert of kind ner, got re"),
        "{error}"
    );
    assert!(ner.re(&["a", "b"], 0..1, 1..2, &NONE, &cancel).is_err());
}

#[test]
fn scores_that_are_not_finite_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("expert.weights");
    // Finite weights whose product is not.
    let ner = meta(ModelKind::Ner);
    write(&path, &ner, Precision::F32, |name, values| {
        if name == "head.weight" {
            values.fill(f32::MAX);
        }
    });
    let weights = Weights::open(&path, Default::default()).unwrap();
    let expert = Expert::load(weights, &compute(), None).unwrap();
    let error = expert.ner(&["a", "b"], &NONE, &Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
}

#[test]
fn the_encoder_refuses_ids_outside_its_tables() {
    let expert = load(&meta(ModelKind::Ner)).unwrap();
    let run = |ids: &[u32]| expert.encoder.forward(ids, &Cancel::new()).map(drop);
    assert!(run(&[0, 4, 2]).is_ok());
    for ids in [&[][..], &[0; 13], &[0, 9, 2], &[u32::MAX]] {
        assert_eq!(run(ids).unwrap_err().kind(), ErrorKind::Input, "{ids:?}");
    }
}

#[test]
fn pooling_takes_the_first_the_last_or_the_mean() {
    let compute = compute();
    let hidden = TensorData::new((0..12).map(|x| x as f32).collect::<Vec<_>>(), [6, 2]);
    let hidden = Tensor::<2>::from_data(hidden, compute.device());
    let units = [1..2, 2..5];
    for (pooling, expected) in [
        (Pooling::First, [2.0, 3.0, 4.0, 5.0]),
        (Pooling::Last, [2.0, 3.0, 8.0, 9.0]),
        (Pooling::Mean, [2.0, 3.0, 6.0, 7.0]),
    ] {
        let got = read(pool(hidden.clone(), &units, pooling)).unwrap();
        let close = got
            .iter()
            .zip(expected)
            .all(|(got, expected)| (got - expected).abs() < 1e-5);
        assert!(close && got.len() == 4, "{pooling}: {got:?}");
    }
}

#[test]
fn padding_does_not_change_what_is_seen() {
    let expert = load_on(&meta(ModelKind::Ner), &compute().without_kernels()).unwrap();
    let ids = [0, 4, 5, 6, 7, 8, 2];
    let run = |rows| {
        let hidden = expert.encoder.forward_padded(&ids, rows).unwrap();
        assert_eq!(hidden.tensor().dims(), [ids.len(), 4]);
        hidden.to_vec().unwrap()
    };
    let exact = run(ids.len());
    assert_eq!(exact.len(), ids.len() * 4);
    for rows in [8, 32] {
        let padded = run(rows);
        assert_eq!(padded.len(), exact.len());
        let apart = exact.iter().zip(&padded).map(|(a, b)| (a - b).abs());
        assert!(apart.fold(0.0, f32::max) < 1e-5, "{rows} rows");
    }
}

#[test]
fn our_arithmetic_gives_what_burns_does() {
    let meta = meta(ModelKind::Ner);
    let ours = load(&meta).unwrap().encoder;
    let burns = load_on(&meta, &compute().without_kernels())
        .unwrap()
        .encoder;
    let inputs: [(&[u32], Vec<usize>); 3] = [
        (&[0, 4, 5, 6, 7, 8, 2], vec![1, 4]),
        (&[0, 2], vec![]),
        (&[0, 7, 4, 2], vec![0, 1, 2, 3]),
    ];
    let run = |encoder: &Encoder| {
        let hidden = encoder.forward_rows(&inputs, &Cancel::new()).unwrap();
        assert_eq!(hidden.tensor().dims(), [6, 4]);
        hidden.to_vec().unwrap()
    };
    let (ours_packed, burns_packed) = (run(&ours), run(&burns));
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(
        near(&ours_packed, &burns_packed),
        "{ours_packed:?} {burns_packed:?}"
    );
    // Each by itself, all its rows.
    let alone = ours
        .forward(inputs[0].0, &Cancel::new())
        .unwrap()
        .to_vec()
        .unwrap();
    assert!(near(&alone[4..8], &ours_packed[..4]) && near(&alone[16..20], &ours_packed[4..8]));
}

/// Everything but the times.
fn plain(mut output: NerOutput) -> NerOutput {
    output.timings = Timings::default();
    output
}

#[test]
fn sentences_of_a_batch_are_labelled_as_each_alone() {
    let mut meta = meta(ModelKind::Ner);
    let sentences: [(&[&str], &[&str]); 6] = [
        (&["a", "ab", "b"], &["b a"]),
        (&[], &["a"]),
        (&["b"], &[]),
        (&["ab"; 9], &["b b b"]),
        (&["b", "a"], &["ab ab", "a"]),
        (&["a", "ab", "b"], &["b a"]),
    ];
    let queries = sentences.map(|(words, contexts)| NerQuery { words, contexts });
    for pooling in [Pooling::First, Pooling::Last, Pooling::Mean] {
        if let Architecture::Xlmr(config) = &mut meta.architecture {
            config.pooling = pooling;
        }
        for precision in [Precision::F32, Precision::Q8] {
            let expert = load_as(&meta, precision).unwrap();
            let batch = expert.ner_batch(&queries, &Cancel::new());
            assert_eq!(batch.len(), queries.len());
            for (output, query) in batch.into_iter().zip(&queries) {
                let alone = expert
                    .ner(query.words, query.contexts, &Cancel::new())
                    .unwrap();
                let output = output.unwrap();
                if precision == Precision::Q8 {
                    assert_eq!(plain(output), plain(alone), "{pooling}");
                    continue;
                }
                let flat = |rows: &[Vec<f32>]| rows.concat();
                let (got, expected) = (flat(&output.emissions), flat(&alone.emissions));
                assert_eq!(got.len(), expected.len());
                let close = |(x, y): (&f32, &f32)| (x - y).abs() < 1e-5;
                assert!(got.iter().zip(&expected).all(close), "{pooling}");
                assert_eq!(
                    (output.input, output.labels),
                    (alone.input, alone.labels),
                    "{pooling}"
                );
            }
        }
    }
}

#[test]
fn on_the_cpu_there_is_nothing_to_warm_up() {
    let expert = load(&meta(ModelKind::Ner)).unwrap();
    let mut runs = 0;
    expert.warm_up(&Cancel::new(), &mut |_| runs += 1).unwrap();
    assert_eq!(runs, 0);
}

#[test]
fn relations_of_a_batch_are_classified_as_each_alone_and_fail_alone() {
    let words = ["a", "b", "ab"];
    let query = |subject, object| ReQuery {
        words: &words[..],
        subject,
        object,
        contexts: &NONE[..],
    };
    // The object may come first; the second is outside the words; the markers of the last do not fit.
    let queries = [query(1..2, 0..1), query(0..1, 3..4), query(0..1, 2..3)];
    for precision in [Precision::F32, Precision::Q8] {
        let expert = load_as(&meta(ModelKind::Re), precision).unwrap();
        let batch = expert.re_batch(&queries, &Cancel::new());
        for (output, query) in batch.into_iter().zip(&queries) {
            let (subject, object) = (query.subject.clone(), query.object.clone());
            let alone = expert.re(&words, subject, object, &NONE, &Cancel::new());
            match (output, alone) {
                (Ok(output), Ok(alone)) => {
                    let close = |(x, y): (&f32, &f32)| (x - y).abs() < 1e-5;
                    assert!(output.logits.iter().zip(&alone.logits).all(close));
                    assert!(precision == Precision::F32 || output.logits == alone.logits);
                    assert_eq!(output.logits.len(), alone.logits.len());
                    assert_eq!(output.input, alone.input);
                }
                (Err(output), Err(alone)) => {
                    assert_eq!(output.to_string(), alone.to_string());
                    assert_eq!(query.object, 3..4);
                }
                (output, alone) => panic!("{output:?}, alone {alone:?}"),
            }
        }
    }
}

#[test]
fn a_cancelled_batch_stops() {
    let expert = load(&meta(ModelKind::Ner)).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    let query = NerQuery {
        words: &["a"],
        contexts: &NONE,
    };
    let batch = expert.ner_batch(&[query, query], &cancel);
    let kinds = batch
        .iter()
        .map(|output| output.as_ref().unwrap_err().kind());
    assert_eq!(kinds.collect::<Vec<_>>(), [ErrorKind::Cancelled; 2]);
}

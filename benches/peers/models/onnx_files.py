"""The ONNX files of the checkpoints: exported once, then fused and quantized by ONNX Runtime's own tools."""

import warnings

OPSET = 17
#: How a file is named by what was done to it: `f32`, `f32-fused`, `int8-tensor`, `int8-channel`, `int8-tensor-fused`, …
VARIANTS = ["f32", "f32-fused", "int8-tensor", "int8-channel", "int8-tensor-fused", "int8-channel-fused"]


def onnx_file(work, checkpoint, variant):
    """The file of one variant, made if it is not there."""
    folder = work / f"{checkpoint.name}-onnx" / variant
    target = folder / "model.onnx"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if variant == "f32":
            export(checkpoint, target)
        elif variant == "f32-fused":
            fuse(work, checkpoint, target)
        else:
            kind, *fused = variant.removeprefix("int8-").split("-")
            source = onnx_file(work, checkpoint, "f32-fused" if fused else "f32")
            quantize(source, target, per_channel=kind == "channel")
        (folder / "done").touch()
    return target


def export(checkpoint, target):
    import torch

    from contenders import torch_clip_image, torch_encoder

    if checkpoint.name == "clip":
        model, example = torch_clip_image(checkpoint), torch.zeros(1, 3, 224, 224)
        names, axes = ("pixel_values", "image_embeds"), {}
    else:
        model, example = torch_encoder(checkpoint), torch.full((1, 16), 7)
        names, axes = ("input_ids", "last_hidden_state"), {"input_ids": {1: "length"}, "last_hidden_state": {1: "length"}}
    single = target.with_name("graph.onnx")
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (example,), str(single), input_names=[names[0]], output_names=[names[1]], dynamic_axes=axes,
            opset_version=OPSET, dynamo=False, do_constant_folding=True, external_data=True,
        )
    gather(single, target)
    for file in target.parent.iterdir():
        if file.name not in (target.name, target.name + ".data"):
            file.unlink()


def gather(source, target):
    """One graph and one file of weights: the exporter leaves a file for every tensor where a model is over 2 GiB."""
    import onnx

    model = onnx.load(str(source))
    onnx.save_model(model, str(target), save_as_external_data=True, all_tensors_to_one_file=True, location=target.name + ".data")


def fuse(work, checkpoint, target):
    """Attention, layer norms and GELU as single operators, which is what ONNX Runtime's guide for transformers recommends."""
    import json

    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    config = json.loads((checkpoint / "config.json").read_text())
    kind = "clip" if checkpoint.name == "clip" else "bert"
    heads, hidden = config.get("num_attention_heads", 12), config.get("hidden_size", 768)
    model = optimizer.optimize_model(
        str(onnx_file(work, checkpoint, "f32")), model_type=kind, num_heads=heads, hidden_size=hidden,
        opt_level=0, optimization_options=FusionOptions(kind), use_gpu=False,
    )
    (target.parent / "fused.txt").write_text(f"{model.get_fused_operator_statistics()}\n")
    model.save_model_to_file(str(target), use_external_data_format=True)


def quantize(source, target, per_channel):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source), str(target), per_channel=per_channel, weight_type=QuantType.QInt8, use_external_data_format=True,
        # What fused operators give: ONNX's own shape inference does not know them.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )

"""What is timed: one class a runtime, all with the same two methods, `load` once and `run` once a sample.

A language model answers with the hidden states of one input of given ids, `[tokens, hidden]`. CLIP answers with the projected
feature of one JPEG file, decoding, resizing and normalizing included.
"""

import json


def contender(name, work, checkpoint, threads):
    """`RUNTIME:VARIANT`, as `torch:int8-x86` or `ort:int8-channel`."""
    runtime, variant = name.split(":")
    return {"torch": Torch, "ort": OnnxRuntime, "ct2": CTranslate2}[runtime](work, checkpoint, variant, threads)


def torch_encoder(checkpoint):
    from transformers import XLMRobertaForTokenClassification

    model = XLMRobertaForTokenClassification.from_pretrained(checkpoint, attn_implementation="sdpa").eval().roberta
    return HiddenStates(model)


def torch_clip_image(checkpoint):
    from transformers import CLIPVisionModelWithProjection

    return ImageFeature(CLIPVisionModelWithProjection.from_pretrained(checkpoint, attn_implementation="sdpa").eval())


class Torch:
    """PyTorch, eager or compiled. `int8-ENGINE` is `quantize_dynamic` with a scale for each output channel."""

    def __init__(self, work, checkpoint, variant, threads):
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.clip = checkpoint.name == "clip"
        model = torch_clip_image(checkpoint) if self.clip else torch_encoder(checkpoint)
        if variant.startswith("int8"):
            from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

            torch.backends.quantized.engine = variant.split("-")[1]
            model = quantize_dynamic(model, {torch.nn.Linear: per_channel_dynamic_qconfig}, dtype=torch.qint8)
        if variant.startswith("bf16"):
            model = model.to(torch.bfloat16)
        self.type = torch.bfloat16 if variant.startswith("bf16") else torch.float32
        if variant.endswith("compile"):
            model = torch.compile(model)
        self.model, self.torch = model, torch

    def run(self, request):
        with self.torch.inference_mode():
            if self.clip:
                pixels = self.torch.from_numpy(pixel_values(request)).to(self.type)
                return self.model(pixels)[0].float().numpy()
            return self.model(self.torch.tensor([request]))[0].float().numpy()


class OnnxRuntime:
    def __init__(self, work, checkpoint, variant, threads):
        import onnxruntime

        from onnx_files import onnx_file

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Its threads may spin while they compute, and not while others do.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.clip = checkpoint.name == "clip"
        self.session = onnxruntime.InferenceSession(
            str(onnx_file(work, checkpoint, variant)), options, providers=["CPUExecutionProvider"]
        )

    def run(self, request):
        import numpy

        if self.clip:
            return self.session.run(None, {"pixel_values": pixel_values(request)})[0][0]
        return self.session.run(None, {"input_ids": numpy.array([request], dtype=numpy.int64)})[0][0]


class CTranslate2:
    def __init__(self, work, checkpoint, variant, threads):
        import ctranslate2

        target = work / f"{checkpoint.name}-ct2"
        if not (target / "model.bin").exists():
            ctranslate2.converters.TransformersConverter(str(bare_encoder(work, checkpoint))).convert(str(target), force=True)
        self.encoder = ctranslate2.Encoder(
            str(target), device="cpu", compute_type={"f32": "float32"}.get(variant, variant), intra_threads=threads, inter_threads=1
        )

    def run(self, request):
        import numpy

        return numpy.array(self.encoder.forward_batch([request]).last_hidden_state)[0]


def bare_encoder(work, checkpoint):
    """The same encoder as an `XLMRobertaModel`: the architecture that CTranslate2 knows."""
    from transformers import XLMRobertaForTokenClassification

    target = work / f"{checkpoint.name}-bare"
    if not (target / "config.json").exists():
        XLMRobertaForTokenClassification.from_pretrained(checkpoint).roberta.save_pretrained(target, safe_serialization=True)
        # A key that transformers 5 no longer writes and CTranslate2's converter reads.
        config = json.loads((target / "config.json").read_text())
        (target / "config.json").write_text(json.dumps(config | {"position_embedding_type": "absolute"}))
        (target / "tokenizer.json").write_bytes((checkpoint / "tokenizer.json").read_bytes())
        special = dict(bos_token="<s>", eos_token="</s>", sep_token="</s>", cls_token="<s>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>")
        (target / "tokenizer_config.json").write_text(json.dumps(dict(tokenizer_class="PreTrainedTokenizerFast", **special)))
    return target


def pixel_values(file):
    """CLIP's preprocessing by Pillow and NumPy, `[1, 3, 224, 224]`: what `CLIPImageProcessor` does, without its overhead."""
    import numpy
    from PIL import Image

    from checkpoints import PREPROCESSOR

    with Image.open(file) as image:
        image = image.convert("RGB")
    width, height = image.size
    short, long = min(width, height), max(width, height)
    sides = (224, int(224 * long / short)) if width <= height else (int(224 * long / short), 224)
    image = image.resize(sides, Image.BICUBIC)
    left, top = (sides[0] - 224) // 2, (sides[1] - 224) // 2
    pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), dtype=numpy.float32)
    mean, std = (numpy.array(PREPROCESSOR[key], dtype=numpy.float32) * 255 for key in ("image_mean", "image_std"))
    return numpy.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1)[None])


def wrapped(attribute):
    """A module that gives one tensor instead of an output object: what exporters and compilers want."""

    def make(model):
        import torch

        class Wrapped(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, value):
                return getattr(self.model(value), attribute)

        return Wrapped().eval()

    return make


HiddenStates = wrapped("last_hidden_state")
ImageFeature = wrapped("image_embeds")

"""What is measured: the work, and who does it."""

from dataclasses import dataclass

from checkpoints import input_ids, photographs


@dataclass(frozen=True)
class Workload:
    name: str
    what: str
    checkpoint: str
    tokens: int = 0  # 0: pictures

    def requests(self, work, images):
        """What a contender is asked, in turn."""
        if self.tokens:
            return [input_ids(self.tokens)]
        return [str(file.resolve()) for file in photographs(work, images)]


def workloads(model):
    return [
        Workload("text-512", f"{model}, 512 tokens", model, 512),
        Workload("text-128", f"{model}, 128 tokens", model, 128),
        Workload("clip-image", "CLIP ViT-B/32, one JPEG file, decoding included", "clip"),
    ]


#: The peers by the arithmetic of their matrices. `bf16` is another precision than any that Morelet offers on a CPU: for scale.
PEERS = {
    "f32": ["torch:f32", "torch:f32-compile", "ort:f32", "ort:f32-fused", "ct2:f32"],
    "int8": ["torch:int8-onednn", "torch:int8-fbgemm", "torch:int8-x86", "ort:int8-tensor", "ort:int8-channel", "ct2:int8"],
    "bf16": ["torch:bf16"],
}

#: What Morelet's precisions are compared with.
AGAINST = {"f32": "f32", "f16": "f32", "q8": "int8", "q4": "int8"}


def peers(workload, kinds):
    for kind in kinds:
        for name in PEERS[kind]:
            # CTranslate2 has no image encoder.
            if workload.tokens or not name.startswith("ct2"):
                yield kind, name

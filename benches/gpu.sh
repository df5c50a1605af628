#!/usr/bin/env bash
# Measures Morelet on the GPU of this machine, with nothing but one binary: makes its own weights, then times the encoder of one expert over
# 512 ids, and whole predictions with two experts and retrieval. PyTorch, compiled and in half precision, does the first beside it where a
# python with torch is found.
#
#     benches/gpu.sh [--device cuda|wgpu|cpu|auto] [--morelet FILE] [--size xlm-r-large] [--precision f16|q8|…] [--out DIR]
#
# Without --morelet the binary is built here. To measure elsewhere: `benches/gpu.sh --pack DIR` leaves this script, the
# binary and the PyTorch script in DIR, which can be copied to a machine with no Rust; `DIR/gpu.sh` runs there. The binary is refused
# unless it is dynamic only in libc, libm, libgcc_s and the loader.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=auto size=xlm-r-large precision=f16 out=gpu-results morelet= pack= python=${PYTHON:-python3} repeat=100

usage() { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
        --device) device=$2 ;;
        --morelet) morelet=$2 ;;
        --size) size=$2 ;;
        --precision) precision=$2 ;;
        --out) out=$2 ;;
        --pack) pack=$2 ;;
        --repeat) repeat=$2 ;;
        *) usage ;;
    esac
    shift 2
done

if [ -z "$morelet" ]; then
    if [ -x "$here/morelet" ]; then
        morelet=$here/morelet
    else
        cargo build --release --locked --manifest-path "$here/../Cargo.toml" -p morelet >&2
        target=$(cargo metadata --format-version 1 --no-deps --manifest-path "$here/../Cargo.toml" |
            sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
        morelet=$target/release/morelet
    fi
fi

# What the loader will look for. A GPU's libraries are opened while it runs.
needed() {
    if command -v readelf >/dev/null; then
        readelf -d "$morelet" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'
    else
        ldd "$morelet" | awk '/=>/ {print $1}'
    fi
}
while read -r library; do
    case $library in
        libc.so.* | libm.so.* | libgcc_s.so.* | ld-linux* | linux-vdso* | libpthread.so.* | libdl.so.* | librt.so.*) ;;
        *) echo "gpu.sh: $morelet needs $library, so that it is not self-contained" >&2; exit 1 ;;
    esac
done < <(needed)

if [ -n "$pack" ]; then
    mkdir -p "$pack"
    cp "$morelet" "$pack/morelet"
    cp "$here/gpu.sh" "$pack/gpu.sh"
    cp "$here/peers/half.py" "$pack/half.py"
    echo "packed into $pack: run $pack/gpu.sh there" >&2
    exit 0
fi

mkdir -p "$out"
"$morelet" devices --json >"$out/devices.json" || true
echo "== one expert, 512 ids, $size in $precision on $device" >&2
"$morelet" bench --synthetic "$size" --precision "$precision" --module expert --tokens 512 --device "$device" \
    --warm-up 10 --repeat "$repeat" -o json >"$out/expert-512.json"
echo "== whole predictions, two experts and retrieval" >&2
"$morelet" bench --synthetic "$size" --precision "$precision" --device "$device" --alone \
    --warm-up 10 --repeat "$(((repeat + 7) / 8))" -o json >"$out/prediction.json"

half=$here/peers/half.py
[ -f "$half" ] || half=$here/half.py
if command -v "$python" >/dev/null && "$python" -c 'import torch' 2>/dev/null; then
    echo "== PyTorch, compiled, half precision" >&2
    "$python" "$half" --size "$size" --tokens 512 --repeat "$repeat" >"$out/pytorch-512.json" ||
        echo "gpu.sh: PyTorch did not run; its row is missing" >&2
else
    echo "gpu.sh: no python with torch (PYTHON=…): its row is missing" >&2
    rm -f "$out/pytorch-512.json"
fi

if [ -f "$out/pytorch-512.json" ]; then
    echo "A: PyTorch, B: Morelet" >&2
    "$morelet" bench --compare "$out/pytorch-512.json" "$out/expert-512.json" | tee "$out/against-pytorch.txt"
fi
echo "results in $out" >&2

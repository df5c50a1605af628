#!/bin/sh
# Takes the sample's weights from the folder that `morelet-convert reproduce --world-seed 7` has worked in.
set -eu
work=${1:?usage: take.sh FOLDER}/world-7
here=$(dirname "$0")
take() {
  mkdir -p "$here/$2"
  for file in config.json labels.json model.safetensors preprocessor_config.json tokenizer.json training.json; do
    if [ -f "$1/$file" ]; then cp "$1/$file" "$here/$2/$file"; fi
  done
}
take "$work/clip" clip
for task in ner re; do
  for context in text image; do take "$work/world-$task/$context-1" "$task-$context"; done
  cp "$work/world-$task/gate-q8-1.safetensors" "$here/$task-gate.safetensors"
done

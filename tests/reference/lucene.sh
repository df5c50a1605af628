#!/usr/bin/env bash
# What Lucene 9.5 answers, for the tests of the text index: writes tests/data/lucene/ and
# indices/src/text/character_ranges.rs from the inputs in tests/data/lucene/ (tweets.txt, sentences.tsv, queries.tsv).
#
# Needs a JDK 17 and the Lucene inside pyserini 0.22.1's jar:
#
#     pip install --no-deps pyserini==0.22.1
#     tests/reference/lucene.sh [JAR]
set -euo pipefail
cd "$(dirname "$0")/../.."
jar=${1:-$(python3 -c 'import importlib.util, pathlib
package = pathlib.Path(importlib.util.find_spec("pyserini").submodule_search_locations[0])
print(next(package.glob("resources/jars/anserini-*-fatjar.jar")))')}
data=tests/data/lucene
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
javac -d "$build" -cp "$jar" tests/reference/LuceneGolden.java
golden() { java -cp "$jar:$build" LuceneGolden "$@"; }

golden classes > indices/src/text/character_ranges.rs
rustfmt --edition 2024 indices/src/text/character_ranges.rs
golden characters > $data/characters.tsv
golden random > $data/random.txt
golden analyze standard $data/random.txt > $data/random.standard.tsv
cut -f3 $data/sentences.tsv > "$build/sentences"
cut -f3 $data/queries.tsv > "$build/queries"
for analyzer in standard english; do
    golden analyze $analyzer $data/tweets.txt > $data/tweets.$analyzer.tsv
    golden search $analyzer "$build/sentences" "$build/queries" > $data/hits.$analyzer.tsv
done

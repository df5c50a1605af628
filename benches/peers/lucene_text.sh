#!/usr/bin/env bash
# Runs LuceneText.java. Needs a JDK 17 and the Lucene 9.5 inside pyserini 0.22.1's jar, named by LUCENE_JAR or installed:
#
#     pip install --no-deps pyserini==0.22.1
#     lucene_text.sh build LINES INDEX THREADS | serve INDEX QUERIES K
set -euo pipefail
jar=${LUCENE_JAR:-$(python3 -c 'import importlib.util, pathlib
package = pathlib.Path(importlib.util.find_spec("pyserini").submodule_search_locations[0])
print(next(package.glob("resources/jars/anserini-*-fatjar.jar")))')}
here=$(cd "$(dirname "$0")" && pwd)
classes=${LUCENE_CLASSES:-${TMPDIR:-/tmp}/morelet-lucene-text-$(id -u)}
if [ ! "$classes/LuceneText.class" -nt "$here/LuceneText.java" ]; then
    mkdir -p "$classes"
    javac -d "$classes" -cp "$jar" "$here/LuceneText.java"
fi
exec java ${JAVA_OPTIONS:--Xmx6g} -cp "$jar:$classes" LuceneText "$@"

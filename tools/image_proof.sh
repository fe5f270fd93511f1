#!/usr/bin/env bash
# Build the container image and try it without a network: `make image-proof`, as root on Debian with the packages buildah
# and debootstrap. The base is made by debootstrap, so no registry of images is asked. Buildah runs every step in a chroot.
set -euo pipefail
cd "$(dirname "$0")/.."

BASE=${BASE:-localhost/d2ltl-base}
CERTIFICATES=(--volume /etc/ssl/certs:/etc/ssl/certs:ro) # those of this machine, for pip

if ! buildah inspect "$BASE" > /dev/null 2>&1; then
    folder=$(mktemp -d)
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$folder"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$folder" /
    buildah commit --quiet --rm "$container" "$BASE"
    rm -rf "$folder"
fi
buildah build --isolation chroot --format docker "${CERTIFICATES[@]}" --build-arg BASE="$BASE" --tag d2ltl .

container=$(buildah from d2ltl)
trap 'buildah rm "$container" > /dev/null' EXIT
# Without a network: only the loopback device of a new namespace.
unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
    buildah run --isolation chroot "$container" -- bash -euxc '
    test "$(id -u)" = 1000
    OMP_NUM_THREADS=1 d2ltl compare --size 32 --epochs 1 --out compared > /dev/null
    test -s compared/report.html

    # The command and the health check of the Dockerfile.
    jupyter lab --ip=0.0.0.0 --no-browser --notebook-dir=/home/learner > jupyter.log 2>&1 &
    check="import urllib.request; print(urllib.request.urlopen(\"http://127.0.0.1:8888/api\", timeout=5).read())"
    timeout 120 sh -c "until python -c \"\$1\" 2> /dev/null; do sleep 1; done" sh "$check"
    kill $!

    # The services of compose.yaml.
    dask scheduler > scheduler.log 2>&1 & scheduler=$!
    OMP_NUM_THREADS=1 dask worker tcp://127.0.0.1:8786 --nthreads 1 > worker.log 2>&1 & worker=$!
    d2ltl compare --size 32 --epochs 1 --out shared --workers tcp://127.0.0.1:8786 > /dev/null
    test -s shared/report.html
    kill $worker $scheduler
'
echo "The image d2ltl works without a network."

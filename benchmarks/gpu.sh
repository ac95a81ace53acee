#!/usr/bin/env bash
# Measurements on one NVIDIA GPU, planned for half an hour in commands of ten minutes, on a machine that may have nothing but
# Python, torch and numpy, and no network. What travels with a command is below 64 MiB, files back are below 16 MiB each.
#
# On a machine with the data set and a network, before:
#     benchmarks/gpu.sh prepare FOLDER [3.12]   CIFAR-10 (its binary version) in two files of 34 MiB, wheels for that Python
# On the machine with the GPU, one command each; results go to $RESULTS (benchmarks/results):
#     benchmarks/gpu.sh first     with runs/gpu/wheels and runs/gpu/cifar10.0.xz: what there is, steps of training beside
#                                 slayer and SpikingJelly, exactness
#     benchmarks/gpu.sh second    with runs/gpu/wheels and runs/gpu/cifar10.1.xz: ResNet-19, for nine minutes
#     benchmarks/gpu.sh second    again: it goes on where it was; on a fresh machine, with both files and what came home,
#                                 resnet19.weights.*, in runs/gpu
# To see that it runs, on a CPU, with both files in $FOLDER (runs/gpu):
#     benchmarks/gpu.sh dry
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
FOLDER=${FOLDER:-runs/gpu}
RESULTS=${RESULTS:-benchmarks/results}

packages() { # those that blocks and tables import, and peers; each that is missing and was brought along
    for package in h5py pyyaml typer rich spikingjelly; do
        name=${package/pyyaml/yaml}
        "$PYTHON" -c "import $name" 2>/dev/null && continue
        "$PYTHON" -m pip install --quiet --no-index --find-links "$FOLDER/wheels" "$package" 2>/dev/null \
            || echo "$package: missing, and not in $FOLDER/wheels"
    done
}

stages() { "$PYTHON" -m benchmarks.gpu "$@" --folder "$FOLDER" --results "$RESULTS"; }

case ${1:-} in
prepare)
    "$PYTHON" -m benchmarks.gpu_resnet19 pack "$2" || exit 1
    for package in h5py pyyaml typer rich spikingjelly; do
        "$PYTHON" -m pip download --quiet --only-binary :all: --python-version "${3:-3.12}" --dest "$FOLDER/wheels" \
            "$package" --no-deps || echo "$package: no wheel for Python ${3:-3.12}"
    done
    "$PYTHON" -m pip download --quiet --only-binary :all: --python-version "${3:-3.12}" --dest "$FOLDER/wheels" \
        click shellingham typing_extensions markdown-it-py mdurl pygments --no-deps
    du -sh "$FOLDER"
    ;;
first) packages && stages look unpack exact steps --seconds 300 ;;
second) packages && stages unpack resnet19 --seconds 500 ;;
dry) stages look steps exact unpack resnet19 --device cpu --quick --seconds 60 ;;
*) sed -n '2,17s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac

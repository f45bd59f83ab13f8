#!/bin/bash
# Train on one or several machines without SLURM, with a process for each GPU. Run it in the repository's folder:
#
#   sweeps/launch/torchrun.sh --config configs/paper.yaml --track outputs/tracks/NAME
#
# takes all GPUs of this machine; GPUS=2 takes two. On several machines, which all see the same folders, run the same line on each
# of them, with the name or address of one of them:
#
#   NODES=2 MASTER=first-machine sweeps/launch/torchrun.sh --config configs/paper.yaml --track outputs/tracks/NAME
#
# After a failure or Ctrl-C the same line goes on. RESTARTS=3: up to three times it does so by itself.

set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS="${OMP_NUM_THREADS:-4}"
nodes=${NODES:-1} gpus=${GPUS:-$(nvidia-smi --list-gpus | wc -l)}
exec torchrun --nnodes="$nodes" --nproc-per-node="$gpus" --max-restarts="${RESTARTS:-0}" \
    --rdzv-backend=c10d --rdzv-endpoint="${MASTER:-localhost}:${PORT:-29400}" --rdzv-id="${RUN:-lit-reenact}" \
    -m lit_reenact.commands.main fit "$@" --trainer.num_nodes="$nodes" --trainer.devices="$gpus"

#!/usr/bin/env bash
# One node's part of a training, started by srun (train.sbatch), or by hand over ssh on each node with
#   RECIPE=… LAKE=… HEAD_NODE=node1 MASTER_PORT=29500 NODES=2 deploy/slurm/train.sh
# All ranks read the packed images of the lake's own folder (LAKE/packed), which process 0 fills and whose rows carry
# checksums. The entry is the trainer's own.
set -euo pipefail
: "${RECIPE:?}" "${LAKE:?}" "${HEAD_NODE:?}" "${MASTER_PORT:?}"
nodes=${SLURM_JOB_NUM_NODES:-${NODES:?how many nodes}}
gpus=${SLURM_GPUS_ON_NODE:-$(nvidia-smi --list-gpus 2>/dev/null | wc -l)}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} HF_HUB_OFFLINE=1 NO_ALBUMENTATIONS_UPDATE=1
exec python -m torch.distributed.run --nnodes="$nodes" --nproc-per-node="$((gpus > 0 ? gpus : 1))" \
  --max-restarts=0 --rdzv-backend=c10d --rdzv-endpoint="$HEAD_NODE:$MASTER_PORT" --rdzv-id="${SLURM_JOB_ID:-radia}" \
  -m radia_pipeline.training.run --recipe "$RECIPE" --lake "$LAKE"

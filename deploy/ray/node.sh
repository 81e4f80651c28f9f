#!/usr/bin/env bash
# One node of the cluster that shares a lake's files: node.sh head ADDRESS | node.sh join ADDRESS HEAD:PORT
# ADDRESS is this machine's own in the cluster's network: Ray would guess, and puts another in place of 127.0.0.1.
# Needs in its environment: RAY_AUTH_TOKEN_PATH (mode 600, the same token everywhere) and RADIA_PSEUDONYM_KEY.
set -euo pipefail
role=${1:?head or join} address=${2:?this machine\'s address}
: "${RAY_AUTH_TOKEN_PATH:?names the file with the token of the cluster}"
[ "$(stat -c %a "$RAY_AUTH_TOKEN_PATH")" = 600 ] || { echo "chmod 600 $RAY_AUTH_TOKEN_PATH" >&2; exit 2; }
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# A machine that starts under load takes longer than the half minute that Ray waits for its own processes.
export RAY_raylet_start_wait_time_s=180
# A node that does not answer for 5 seconds is lost; its portions go to others.
export RAY_health_check_period_ms=1000 RAY_health_check_failure_threshold=5
common=(--node-ip-address="$address" --disable-usage-stats --object-store-memory=1000000000 --block)
if [ "$role" = head ]; then
  # The head leads and works; --num-cpus=0 lets it only lead.
  exec ray start --head --port=6379 --ray-client-server-port=10001 --include-dashboard=false "${common[@]}"
fi
exec ray start --address="${3:?HEAD:PORT}" "${common[@]}"

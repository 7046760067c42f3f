#!/usr/bin/env bash
# The kill test at length: a sweep of 8 runs whose whole process tree is killed (SIGKILL) 50 times at random moments must end
# with the records and losses of the undisturbed one, bit for bit, none lost, none doubled. Minutes.
#   benches/kill.sh [KILLS] [STEPS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ABLATE_KILLS=${1:-50} ABLATE_KILL_STEPS=${2:-400} \
    cargo test --release --locked --test ablate launch::kill::a_sweep -- --nocapture

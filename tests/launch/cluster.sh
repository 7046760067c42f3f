#!/usr/bin/env bash
# A cluster of SLURM's on this machine alone: authentication, controller and node in a folder of their own, no systemd, nothing
# outside of the folder. `cluster.sh start DIR` writes DIR/slurm.conf and waits for the node; `cluster.sh stop DIR` ends it.
set -euo pipefail
verb=$1 dir=$(mkdir -p "$2" && cd "$2" && pwd)
export SLURM_CONF=$dir/slurm.conf
PATH=$PATH:/usr/sbin:/sbin

stop() {
    for name in slurmd slurmctld munged; do
        if [ -s "$dir/$name.pid" ]; then kill -TERM "$(cat "$dir/$name.pid")" 2>/dev/null || true; fi
    done
}

if [ "$verb" = stop ]; then
    scancel --me 2>/dev/null || true
    sleep 1
    stop
    exit 0
fi

for program in munged slurmctld slurmd sbatch; do
    command -v "$program" >/dev/null || { echo "no $program here: apt-get install slurm-wlm munge" >&2; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "a node of SLURM's needs root" >&2; exit 77; }

mkdir -p "$dir"/{state,spool}
chmod 711 "$dir"
host=$(hostname -s)
cpus=$(nproc)
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null || echo $((20000 + RANDOM % 20000)); }
controller=$(port) node=$(port)
cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$controller
SlurmdPort=$node
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=10
MinJobAge=300
InactiveLimit=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
CONF
printf 'CgroupPlugin=cgroup/v1\n' >"$dir/cgroup.conf"

trap 'code=$?; [ $code = 0 ] || { tail -n 20 "$dir"/*.log >&2; stop; }' EXIT
(umask 077 && dd if=/dev/urandom of="$dir/munge.key" bs=1 count=64 status=none)
munged --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" \
    --seed-file="$dir/munged.seed" --force 2>/dev/null
slurmctld
slurmd
for _ in $(seq 100); do
    if sinfo --noheader --format=%T 2>/dev/null | grep -q '^idle'; then exit 0; fi
    sleep 0.1
done
echo "the node did not come up" >&2
exit 1

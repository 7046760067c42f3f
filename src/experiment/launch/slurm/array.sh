#!/bin/bash
#SBATCH --job-name={{ name }}
#SBATCH --array=0-{{ last }}{% if most %}%{{ most }}{% endif %}

#SBATCH --chdir={{ directory }}
#SBATCH --output={{ folder }}/task-%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@{{ notice }}

# One run per task. The signal announces the end of the task's time, or a preemption: the run then writes its checkpoint and
# the task queues again, where the run goes on.
export RAYON_NUM_THREADS="${RAYON_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}}"
exec {{ program }} --ops {{ ops }} task --batch {{ folder }} --index "$SLURM_ARRAY_TASK_ID"

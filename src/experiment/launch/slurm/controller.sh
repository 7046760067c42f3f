#!/bin/bash
#SBATCH --job-name={{ name }}-next
#SBATCH --dependency=afterany:{{ job }}
#SBATCH --chdir={{ directory }}
#SBATCH --output={{ folder }}/controller.log
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1

# Collects what the tasks left, then submits what the plan misses by that, or writes the report.
exec {{ command }}

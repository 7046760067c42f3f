"""The training step of `torch_step.py` on several processes of this machine, by PyTorch's DistributedDataParallel: over gloo on
a CPU, over NCCL on as many GPUs.

    python benches/peers/torch_ddp.py --config small --processes 2 --steps 20

The batch is divided among the processes, and on a CPU its cores as well. Prints one object of JSON.
"""

import argparse
import json
import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from torch_step import SHAPES, WARM_UP, Trainer


def work(rank, options, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    backend = "nccl" if options.device == "cuda" else "gloo"
    if options.device == "cuda":
        torch.cuda.set_device(rank)
        options.device = f"cuda:{rank}"
    dist.init_process_group(backend, rank=rank, world_size=options.processes)
    trainer = Trainer(options)
    if options.processes > 1:
        trainer.run = DistributedDataParallel(trainer.run, bucket_cap_mb=options.bucket)
    for _ in range(WARM_UP):
        trainer.step()
    dist.barrier()
    result = trainer.measure(options.steps)
    if rank == 0:
        result["tokens_per_second"] *= options.processes
        result["path"] += f", {options.processes} processes, {backend}"
        print(json.dumps(result), flush=True)
    dist.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", choices=SHAPES, default="small")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20, help="steps to time, after some to warm up")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--bucket", type=float, default=25, help="megabytes of a bucket")
    options = parser.parse_args()
    options.compile = options.device == "cuda"
    options.threads = options.device == "cpu" and max(len(os.sched_getaffinity(0)) // options.processes, 1)
    options.batch = SHAPES[options.config].batch // options.processes
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, (options, port), options.processes)


if __name__ == "__main__":
    main()

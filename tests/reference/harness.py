"""Prompts of lm-evaluation-harness for the rows in `tests/eval/fixtures`, to hold those of `ablate::eval::tasks` against.

    python harness.py        writes harness.json
    python harness.py check  compares with the committed harness.json

Needs `lm_eval` 0.4.13 (and `datasets`). Rows are given to the harness in the form of the data sets that its tasks name; they
are read from disk, nothing is downloaded. Also what its normalisation makes of MATH's answers.
"""

import csv
import importlib.util
import json
import logging
import os
import pathlib
import random
import re
import sys
import tempfile
import types

os.environ.update(HF_DATASETS_OFFLINE="1", HF_HUB_OFFLINE="1", HF_DATASETS_CACHE=tempfile.mkdtemp())
import jinja2
import lm_eval
from lm_eval.api.task import ConfigurableTask

logging.disable(logging.WARNING)
HERE = pathlib.Path(__file__).parent
ROWS = HERE.parent / "eval" / "fixtures"
TASKS = pathlib.Path(lm_eval.__file__).parent / "tasks"
PATH = HERE / "harness.json"


def lines(name):
    return [json.loads(line) for line in (ROWS / name).read_text().splitlines()]


def labelled(rows, labels, key="label"):
    return [{**row, key: label} for row, label in zip(lines(rows), (ROWS / labels).read_text().split())]


def table(name):
    subject = pathlib.Path(name).stem.rsplit("_", 1)[0]
    with open(ROWS / name, newline="") as file:
        return [{"question": q, "subject": subject, "choices": choices, "answer": "ABCD".index(a)} for q, *choices, a in csv.reader(file)]


def config(path):
    try:
        from lm_eval.utils import load_yaml_config
        return load_yaml_config(str(TASKS / path))
    except ImportError:
        from lm_eval.tasks._yaml_loader import load_yaml
        return load_yaml(TASKS / path)


def local(path, test, shots=0, train=None, **changes):
    """The task of a file of the harness's, asked of the rows `test`; examples from `train`, else from `test` itself."""
    settings = dict(config(path))
    for split in ["training_split", "validation_split", "test_split", "fewshot_split"]:
        settings.pop(split, None)
    folder = pathlib.Path(tempfile.mkdtemp())
    files = {"test": test, **({"train": train} if train else {})}
    for split, rows in files.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": {split: str(folder / f"{split}.jsonl") for split in files}}}
    # Named, so that a question is no example of itself.
    settings |= {"test_split": "test", "num_fewshot": shots, "fewshot_split": "train" if train else "test", **changes}
    task = ConfigurableTask(config=settings)
    task.set_fewshot_seed(1234)
    return task


def ask(path, test, shots=0, train=None, **changes):
    """Contexts and continuations for each of `test`."""
    task = local(path, test, shots, train, **changes)
    found = []
    for doc in task.test_docs():
        context = task.fewshot_context(doc, shots)
        requests = task.construct_requests(doc, context, metadata=(None, None, None))
        requests = requests if isinstance(requests, list) else [requests]
        if task.OUTPUT_TYPE == "generate_until":
            found.append({"prompt": requests[0].args[0], "stop": requests[0].args[1]["until"]})
        else:
            gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
            if isinstance(gold, str):
                gold = task.doc_to_choice(doc).index(gold) if task.config.doc_to_choice else 0
            found.append({"pairs": [list(request.args) for request in requests], "gold": gold})
    return found


def mmlu(test, dev, shots):
    subject = table(test)[0]["subject"]
    about = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
    return ask("mmlu/default/_default_template_yaml", table(test), shots, table(dev), task=f"mmlu_{subject}", description=about)


def minerva():
    """The module without the packages for algebra that it imports and that its prompts and its normal form do not need."""
    for name in ["sympy", "sympy.parsing", "sympy.parsing.latex", "math_verify", "antlr4"]:
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["math_verify"].parse = sys.modules["math_verify"].verify = sys.modules["sympy.parsing.latex"].parse_latex = None
    source = (TASKS / "minerva_math" / "utils.py").read_text()
    source = re.sub(r"\n    assert version.*\n", "\n    pass\n", source)
    module = types.ModuleType("minerva")
    exec(compile(source, "minerva", "exec"), module.__dict__)
    return module


ANSWERS = [
    "\\frac12", "\\frac{1}{2}", "x=\\frac 3 4", "\\sqrt2", "\\sqrt[3]8", "\\sqrt{ab}c", "100,000", "0,1", "1,23", "$5$ and $7$", "\\text{yes}", "2\\pi cm",
    "\\left[2,5\\right)", "\\boxed{7}", "12\\text{ cm}^2", "90^\\circ", "\\$4.50", "5 \\text{ dollars}", "an apple", "3 hours", "x \\in (-\\infty, 2]", "7.$",
    "\\textbf{(C)}", "\\overline{ab}", "10\\%", "\\mbox{north}", "1,\\text{ and }2", "16\\text{ cm}^2", "\\dots", "{,}", "4 km/h", "fracab", "left", "-1,234,567",
]
GENERATED = [
    "so it is.\nFinal Answer: The final answer is $\\frac12$. I hope it is correct.", "Final Answer: The final answer is 5. I hope", "The answer is 4.",
    "Final Answer: The final answer is $x=3$. I hope it is correct.\nFinal Answer: The final answer is $4$. I hope it is correct.",
    "Final Answer: The final answer is $7$. ",
]


def core(name, shots, delimiter):
    """The prompts of nanochat (`nanochat/core_eval.py`, `scripts/base_eval.py`, commit 92d63d4e8b): templates, order and examples."""
    (file,) = (ROWS / "core/eval_data").rglob(f"{name}.jsonl")
    data = [json.loads(line) for line in file.read_text().splitlines()]
    random.Random(1337).shuffle(data)
    kind = "query" if "query" in data[0] else "context_options" if "context_options" in data[0] else "context"
    shown = {
        "query": "{{ example.query }}{{ delimiter }}{{ example.choices[example.gold] }}",
        "context_options": "{{ example.context_options[example.gold] }}{{ delimiter }}{{ example.continuation }}",
        "context": "{{ example.context | trim }}{{ delimiter }}{{ example.continuation }}",
    }[kind]
    asked = {
        "query": "{{ item.query }}{{ delimiter }}{{ choice }}",
        "context_options": "{{ choice }}{{ delimiter }}{{ item.continuation }}",
        "context": "{{ item.context | trim }}{{ delimiter }}{% if choice %}{{ item.continuation }}{% endif %}",
    }[kind]
    template = jinja2.Template("{%- for example in examples -%}\n" + shown + "\n\n{% endfor -%}\n" + asked)
    found = []
    for index, item in enumerate(data):
        others = [i for i in range(len(data)) if i != index]
        examples = [data[i] for i in random.Random(1234 + index).sample(others, shots)] if shots else []
        choices = {"query": item.get("choices"), "context_options": item.get("context_options"), "context": ["", "yes"]}[kind]
        prompts = [template.render(examples=examples, delimiter=delimiter, item=item, choice=choice) for choice in choices]
        if kind == "context":
            prompts[0] = prompts[0].strip()
        found.append({"prompts": prompts, "gold": item.get("gold", 0)})
    return found


def everything():
    hella, math = lines("hellaswag/val.jsonl"), minerva()
    race, boolq = lines("race/eleuther.jsonl"), [{**row, "label": int(row["label"])} for row in lines("boolq/superglue.jsonl")]
    mbpp = [row for row in lines("mbpp/mbpp.jsonl") if 11 <= row["task_id"] <= 510]
    shown = [row for row in lines("mbpp/mbpp.jsonl") if 2 <= row["task_id"] <= 4]
    with open(ROWS / "crows_pairs/crows_pairs_anonymized.csv", newline="") as file:
        # The column without a name is none of the data set's, and the harness would take it for its template "".
        crows = [{key: value for key, value in row.items() if key} for row in csv.DictReader(file)]
    prompts = {
        "hellaswag/val.jsonl": ask("hellaswag/hellaswag.yaml", hella),
        "hellaswag/val.jsonl@1": ask("hellaswag/hellaswag.yaml", hella, 1),
        "piqa/valid.jsonl": ask("piqa/piqa.yaml", [{**row, "label": int(row["label"])} for row in labelled("piqa/valid.jsonl", "piqa/valid-labels.lst")]),
        "siqa/dev.jsonl": ask("siqa/siqa.yaml", labelled("siqa/dev.jsonl", "siqa/dev-labels.lst")),
        "winogrande/dev.jsonl": ask("winogrande/default.yaml", lines("winogrande/dev.jsonl")),
        "winogrande/dev.jsonl@2": ask("winogrande/default.yaml", lines("winogrande/dev.jsonl"), 2),
        "arc/test.jsonl": ask("arc/arc_easy.yaml", lines("arc/hf.jsonl")),
        "arc/test.jsonl@1": ask("arc/arc_easy.yaml", lines("arc/hf.jsonl"), 1),
        "openbookqa/test.jsonl": ask("openbookqa/openbookqa.yaml", lines("openbookqa/hf.jsonl")),
        "boolq/dev.jsonl": ask("super_glue/boolq/default.yaml", boolq),
        "copa/val.jsonl": ask("super_glue/copa/default.yaml", lines("copa/val.jsonl")),
        "copa/val.jsonl@1": ask("super_glue/copa/default.yaml", lines("copa/val.jsonl"), 1),
        "lambada/test.jsonl": ask("lambada/lambada_openai.yaml", lines("lambada/test.jsonl")),
        "lambada/test.jsonl@1": ask("lambada/lambada_openai.yaml", lines("lambada/test.jsonl"), 1),
        "mmlu@2": mmlu("mmlu/test/abstract_botany_test.csv", "mmlu/dev/abstract_botany_dev.csv", 2)
        + mmlu("mmlu/test/village_law_test.csv", "mmlu/dev/village_law_dev.csv", 2),
        "race/eleuther.jsonl": ask("race/race.yaml", race),
        "nq/dev.jsonl": ask("nq_open/nq_open.yaml", lines("nq/dev.jsonl")),
        "nq/dev.jsonl@2": ask("nq_open/nq_open.yaml", lines("nq/dev.jsonl"), 2),
        "triviaqa/hf.jsonl": ask("triviaqa/default.yaml", lines("triviaqa/hf.jsonl")),
        "triviaqa/hf.jsonl@1": ask("triviaqa/default.yaml", lines("triviaqa/hf.jsonl"), 1),
        "gsm8k/test.jsonl": ask("gsm8k/gsm8k.yaml", lines("gsm8k/test.jsonl"), 5, lines("gsm8k/train.jsonl")),
        "gsm8k/test.jsonl@0": ask("gsm8k/gsm8k.yaml", lines("gsm8k/test.jsonl"), 0, lines("gsm8k/train.jsonl")),
        "crows_pairs/crows_pairs_anonymized.csv": ask("crows_pairs/crows_pairs_english.yaml", crows),
        "winogender/hf.jsonl": ask("winogender/winogender.yaml", [{**row, "label": int(row["label"])} for row in lines("winogender/hf.jsonl")]),
        "humaneval/HumanEval.jsonl": [{"prompt": row["prompt"]} for row in lines("humaneval/HumanEval.jsonl")],
    }
    # Tasks whose modules need packages of their own: their templates are filled in as the harness fills them in.
    template = (TASKS / "mbpp/mbpp.yaml").read_text().split('doc_to_text: ')[1].split("\n")[0]
    fill = lm_eval.utils.apply_template
    render = lambda row: fill(json.loads(template), row)
    examples = "".join(render(row) + row["code"] + "\n[DONE]\n\n" for row in shown)
    prompts["mbpp/mbpp.jsonl"] = [{"prompt": examples + render(row), "stop": ["[DONE]"]} for row in mbpp]
    rows = [json.loads(path.read_text()) for path in sorted((ROWS / "math/test").rglob("*.json"))]
    prompts["math@0"] = [{"prompt": math.doc_to_text(row), "stop": ["Problem:"]} for row in rows]
    prompts["core"] = {name: core(name, *rest) for name, *rest in [("kites", 0, " "), ("letters", 2, "\nAnswer: "), ("cases", 1, " ")]}
    normal = {answer: math.normalize_final_answer(answer) for answer in ANSWERS}
    found = {text: math.normalize_final_answer(math.get_unnormalized_answer(text)) for text in GENERATED}
    boxes = {row["solution"]: math.remove_boxed(math.last_boxed_only_string(row["solution"])) for row in rows}
    return {"version": "lm_eval 0.4.13", "prompts": prompts, "formulas": normal, "generated": found, "boxes": boxes}


if __name__ == "__main__":
    found = everything()
    if sys.argv[1:] == ["check"]:
        assert found == json.loads(PATH.read_text()), "harness.json is not what this lm_eval says"
    else:
        PATH.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")

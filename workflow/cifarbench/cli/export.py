"""Write trained runs for others: ONNX, torch.export, safetensors, a loader and a model card.

example: cifarbench export --run best --output exported
"""

import argparse

from cifarbench.cli.arguments import add_output_folder, add_trained
from cifarbench.errors import UserError, need_extra
from cifarbench.use.runs import ALL, BEST, choose


def arguments(verb: argparse.ArgumentParser) -> None:
    add_trained(verb)
    verb.add_argument("--all", dest="run_ids", action="append_const", const=ALL, help="the same as --run all")
    verb.add_argument(
        "--hub-layout", action="store_true", help="one folder a run, named as the Hugging Face hub allows"
    )
    add_output_folder(verb, "folder to write; several runs get one each in it")


def run(args: argparse.Namespace) -> None:
    chosen = choose(args.runs, args.run_ids or [BEST], args.dataset)
    need_extra("onnx", "onnx", "onnxscript", "onnxruntime")
    from cifarbench.use.export import export, hub_name

    faults = []
    for trained in chosen:
        name = hub_name(trained.record.run) if args.hub_layout else trained.record.run
        folder = args.output / name if args.hub_layout or len(chosen) > 1 else args.output
        try:
            difference = export(trained, args.data, folder, args.model_files)
            print(f"{folder}: ONNX's logits are within {difference:.1e} of PyTorch's")
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join(faults))

"""Try the models on pictures in a browser; on this machine alone, without the net.

example: cifarbench app --run all --port 7860
"""

import argparse

from cifarbench.cli.arguments import add_trained, port
from cifarbench.errors import need_extra
from cifarbench.use.runs import ALL, choose


def arguments(verb: argparse.ArgumentParser) -> None:
    add_trained(verb)
    verb.add_argument("--port", type=port, help="port (default: the first free one from 7860)")


def run(args: argparse.Namespace) -> None:
    need_extra("app", "gradio")
    chosen = choose(args.runs, args.run_ids or [ALL], args.dataset)
    from cifarbench.use.app import App, launch
    from cifarbench.use.gallery import one_a_configuration

    app = App(chosen if args.run_ids else one_a_configuration(chosen), args.data, args.model_files)
    served = launch(app, args.port)
    print(f"Open {served.local_url} in a browser; Ctrl-C stops", flush=True)
    served.block_thread()

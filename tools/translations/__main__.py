"""The command line: update or check the translations."""

import argparse
import sys

from tools.translations import __doc__ as description
from tools.translations import commands, pages


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.translations", description=description)
    choices = parser.add_subparsers(dest="command", required=True)
    choices.add_parser("update", help="bring the catalogues up to date with the texts that they translate")
    choices.add_parser("check", help="say what is not translated, or not in the words of the glossary")
    command = parser.parse_args().command
    if command == "update":
        pages.update()
        commands.update()
    elif problems := [*pages.check(), *commands.check()]:
        sys.exit("\n".join([*problems, f"{len(problems)} problems in the translations"]))


if __name__ == "__main__":
    main()

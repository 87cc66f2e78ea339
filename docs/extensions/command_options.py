"""`.. command-options:: serve`: every option of that command, as `gaechannel serve --help` has it."""

import argparse
import re

from docutils import nodes
from docutils.parsers.rst import Directive

from gaechannel.cli.main import _parser


def parsers():
    """The commands' parsers, by their names."""
    (commands,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    return commands.choices


def options(parser):
    """Its options and arguments, in their order, but --help."""
    return [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]


def titles(action):
    """As one may write it: `--port PORT`."""
    formatter = argparse.HelpFormatter("gaechannel")
    value = formatter._format_args(action, formatter._get_default_metavar_for_optional(action))
    if not action.option_strings:
        return [formatter._metavar_formatter(action, action.dest)(1)[0]]
    return [f"{name} {value}".rstrip() for name in action.option_strings]


class CommandOptions(Directive):
    required_arguments = 1

    def run(self):
        listed = nodes.definition_list(classes=["options"])
        parser = parsers()[self.arguments[0]]
        for action in options(parser):
            term = nodes.term()
            for number, title in enumerate(titles(action)):
                term += [nodes.Text(", ")] if number else []
                term += nodes.literal(text=title)
            words = argparse.HelpFormatter("gaechannel")._expand_help(action) if action.help else ""
            said = nodes.paragraph()
            for place, piece in enumerate(re.split(r"(--[a-z][a-z-]*|`[^`]+`)", words)):
                said += nodes.literal(text=piece.strip("`")) if place % 2 else nodes.Text(piece)
            said = nodes.definition("", said)
            listed += nodes.definition_list_item("", term, said)
        return [listed]


def setup(app):
    app.add_directive("command-options", CommandOptions)
    return {"parallel_read_safe": True}

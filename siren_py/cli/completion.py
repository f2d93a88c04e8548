"""``siren-py completion``: scripts that let a shell complete verbs, options and names."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from siren_py._optional import import_optional
from siren_py.cli.options import Parser, Subparsers, add_verb
from siren_py.cli.output import Answer

SHELLS = ("bash", "zsh", "tcsh", "fish")

# bash splits words at colons, which are in the names of fluxes.
_WHOLE_WORDS = r"""
_siren_py_words() {
  local line="${COMP_LINE:0:COMP_POINT}" word
  read -ra COMP_WORDS <<< "$line"
  [[ "$line" == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
  word="${COMP_WORDS[COMP_CWORD]}"
  _shtab_siren_py
  [[ "$COMP_WORDBREAKS" == *:* ]] && COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*:}"}"}")
}
complete -o bashdefault -o default -F _siren_py_words siren-py
"""


def add(sub: Subparsers) -> None:
    """Add the verb to the parser."""
    parser = add_verb(
        sub,
        "completion",
        run,
        "print a script with which the shell completes command lines",
        "Print a script for the completion of verbs, options and names by the shell. The names of "
        "detectors, fluxes, models, regions and analyses are those that are installed when the "
        "script is made. Needs shtab: pip install 'siren-py[completion]'.",
        (
            "source <(siren-py completion bash)",
            "siren-py completion bash > ~/.local/share/bash-completion/completions/siren-py",
            "siren-py completion zsh > ~/.zsh/completions/_siren-py",
            "siren-py completion tcsh > ~/.siren-py.tcsh",
            "siren-py completion fish > ~/.config/fish/completions/siren-py.fish",
        ),
    )
    parser.add_argument("shell", metavar="SHELL", help=f"{', '.join(SHELLS)}")


def run(options: argparse.Namespace) -> Answer:
    """Print the script of a shell."""
    from siren_py.cli.main import build_parser
    from siren_py.errors import unknown_name

    shtab = import_optional("shtab", "completion", "Completion scripts")
    shell: str = options.shell
    if shell not in SHELLS:
        raise unknown_name("shell with completion", shell, SHELLS)
    parser = build_parser()
    _tell_choices(parser, shtab, escaped=shell == "zsh")
    script: str = shtab.complete(parser, shell=shell)
    if shell == "bash":
        script += _WHOLE_WORDS
    return Answer({"shell": shell, "script": script}, script)


def _tell_choices(parser: Parser, shtab: Any, *, escaped: bool) -> None:
    """Tell shtab what may follow each option: names, or files and folders.

    `escaped`: a colon would end the list of names, as in zsh.
    """
    names = known_names()
    for sub in (a for a in parser._actions if isinstance(a, argparse._SubParsersAction)):
        for name, verb in sub.choices.items():
            for action in verb._actions:
                if isinstance(action.metavar, str):
                    # zsh takes a colon for the end of the word.
                    action.metavar = action.metavar.replace(":", " ")
                known = names.get(f"{name} {action.dest}", names.get(action.dest))
                if known and action.nargs != 0:
                    # This parser is not used to read anything: paths remain possible.
                    action.choices = [n.replace(":", r"\:") for n in known] if escaped else known
                elif action.metavar in ("FILE", "FILE.toml", "IN", "OUT", "COMMAND|FILE.toml"):
                    action.complete = shtab.FILE
                elif action.metavar == "DIR":
                    action.complete = shtab.DIRECTORY


def known_names() -> dict[str, list[str]]:
    """Return the names that options and arguments take, by their name, or by verb and name.

    Of what cannot be listed, say because a plug-in is broken, there are none.
    """
    from siren_py.configuration.keys import COMMANDS
    from siren_py.configuration.kinds import Text

    found = {
        key.name: list(key.kind.names)
        for command in COMMANDS.values()
        for key in command.keys.values()
        if isinstance(key.kind, Text)
    } | {
        "completion shell": list(SHELLS),
        "config what": list(COMMANDS),
    }
    for key, names in _LISTS.items():
        found[key] = _tried(names)
    return {key: names for key, names in found.items() if names}


def _tried(names: Callable[[], Iterable[str]]) -> list[str]:
    from siren_py.errors import SirenError

    try:
        return sorted(names())
    except SirenError:
        return []


def _detectors() -> list[str]:
    from siren_py.resources import list_detectors

    return list_detectors()


def _regions() -> set[str]:
    from siren_py.errors import SirenError
    from siren_py.resources import list_detectors, load_detector

    found: set[str] = set()
    for name in list_detectors():
        try:
            found |= set(load_detector(name).regions)
        except SirenError:
            continue
    return found


def _fluxes() -> list[str]:
    from siren_py.flux import read_flux_folder
    from siren_py.resources import find_flux, list_fluxes

    found = []
    for name in list_fluxes():
        folder = read_flux_folder(find_flux(name))
        found += [f"{name}:{mode}:{flavor}" for mode in folder.modes for flavor in folder.flavors]
    return found


def _models() -> list[str]:
    from siren_py.models import model_names

    return model_names()


def _couplings() -> list[str]:
    from siren_py.cli.listing import couplings_of
    from siren_py.models import model_names

    return [coupling for name in model_names() for coupling in couplings_of(name)]


def _decays() -> list[str]:
    from siren_py.models_mixing import CHANNELS

    # Blanks mean nothing in a decay, but shells take them for the end of a word.
    return [*("".join(channel.split()) for channel in CHANNELS), "all"]


def _analyses() -> list[str]:
    from siren_py.analysis import analysis_names

    return analysis_names()


def _statistics() -> list[str]:
    from siren_py.counting.statistic import statistics

    return list(statistics())


def _curves() -> list[str]:
    from siren_py.published import curve_names

    return list(curve_names())


def _reproductions() -> list[str]:
    from siren_py.reproduction import reproduction_names

    return list(reproduction_names())


def _kinds() -> list[str]:
    from siren_py.cli.listing import KINDS

    return ["all", *KINDS]


_LISTS: dict[str, Callable[[], Iterable[str]]] = {
    "detector": _detectors,
    "region": _regions,
    "flux": _fluxes,
    "model": _models,
    "coupling": _couplings,
    "decay": _decays,
    "analysis": _analyses,
    "statistic": _statistics,
    "compare": _curves,
    "reproduce name": _reproductions,
    "list kind": _kinds,
}

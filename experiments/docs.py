"""Builds the documentation site: ``python -m experiments.docs``.

Each environment's page is made from its docstring, its reference scores and a picture of an
episode; the command reference from the commands' own help. A domain's page is ``page.md`` in its
room, the rest is written by hand in ``experiments/site``; links among these files work as they lie
in the repository.
"""

import inspect
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import typer
from mkdocs.commands.build import build as build_site
from mkdocs.config import load_config
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from typer.main import get_group
from typer.testing import CliRunner

from agents.loading import load_agent
from agents.rollout import rollout
from agents.tables import BASELINES, KINDS, shown, shown_before_end
from envs import testing
from envs.entry import Entry
from envs.registration import ALL_DOMAINS, CURRENT, references, room
from envs.testing import CHECKS
from experiments.cli import app
from experiments.verbs import paths
from hardware_sim.commands import run
from hardware_sim.naming import resolve

PAGES = Path(__file__).parent / "site"
GUIDES = ("agent.md", "examples.md", "environment.md", "evaluation.md", "cluster.md")
"""Guides, in their order."""

HISTORY = ("versions.md", "migration.md")
HELP_WIDTH = 90


def build(output: Path) -> None:
    """Builds the whole site into a folder, replacing what is there.

    Args:
        output: The folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "docs"
        write_pages(source)
        (source / "commands.md").write_text(commands_page())
        (source / "kit.md").write_text(kit_page())
        (source / "environments").mkdir()
        for entry in CURRENT.values():
            (source / "environments" / f"{entry.id}.md").write_text(environment_page(entry))
        for entry, frame in pictures():
            Image.fromarray(frame).save(source / "environments" / f"{entry.id}.png")
        configuration = Path(folder) / "mkdocs.yml"
        configuration.write_text("site_name: gymworks\n")
        build_site(load_config(str(configuration), **_settings(source, output)))


def domain_pages() -> dict[str, Path]:
    """The page of each domain that has one, in the order of the domains."""
    rooms = {name: Path(str(files(room("experiments", name)))) for name in ALL_DOMAINS}
    pages = {name: folder / "page.md" for name, folder in rooms.items()}
    return {name: page for name, page in pages.items() if page.exists()}


def write_pages(source: Path) -> None:
    """Copies what is written by hand, with links as the site needs them.

    Args:
        source: The folder of the site's pages, which is made.
    """
    shutil.copytree(PAGES, source)
    for page in source.glob("*.md"):
        page.write_text(page.read_text().replace("](../", "]("))
    for name, page in domain_pages().items():
        (source / name).mkdir()
        (source / name / "page.md").write_text(page.read_text().replace("](../site/", "](../"))
        for shown_there in page.parent.glob("*.png"):
            shutil.copy(shown_there, source / name)


def environment_page(entry: Entry) -> str:
    """The page of one environment, as Markdown."""
    environment = resolve(entry.entry_point, "entry point")
    table = references(entry.id)
    rows = [
        f"| {row} | {table[row]['score']:.6g} | {table[row]['source']} |"
        for row in table
        if "source" in table[row]
    ]
    settings = "\n".join(f"- `{key}`: `{value!r}`" for key, value in entry.kwargs.items())
    return "\n\n".join(
        [
            f"# {entry.id}",
            f"{entry.summary[0].upper()}{entry.summary[1:]}.",
            f"![{entry.id}, at the end of an episode]({entry.id}.png)",
            f"Backend: {entry.backend}. Settings of this id:\n\n{settings}",
            agents_line(entry),
            "## Reference scores",
            f"| | score ({table['unit']}, {table['better']} is better) | source |\n"
            "| --- | ---: | --- |\n" + "\n".join(rows),
            fence_doctests(inspect.cleandoc(environment.__doc__ or "")),
            *columns(entry),
        ]
    )


def columns(entry: Entry) -> list[str]:
    """Tables of what the columns of an environment's observation mean, as Markdown."""
    env: Any = gym.make(f"envs:{entry.id}").unwrapped
    named = env.columns() if hasattr(env, "columns") else {}
    env.close()
    tables = [
        f"### Columns of `{key}`\n\n| | column |\n| ---: | --- |\n"
        + "\n".join(f"| {number} | {name} |" for number, name in enumerate(names))
        for key, names in named.items()
    ]
    return ["## Columns", *tables] if tables else []


def agents_line(entry: Entry) -> str:
    """The agents of an environment that need no training, each with its kind."""
    kinds = KINDS[entry.domain]
    names = ["`random`", *(_kinded(name, kinds) for name in BASELINES[entry.domain])]
    return f"Agents (see [kinds](../agent.md#three-kinds)): {', '.join(names)}."


def _kinded(name: str, kinds: dict[str, str]) -> str:
    return f"`{name}` ({kinds[name]})" if name in kinds else f"`{name}`"


def fence_doctests(text: str) -> str:
    """Markdown in which each doctest is a code block: bare, ``>>>`` would be three quotations."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        f"```pycon\n{paragraph}\n```" if paragraph.startswith(">>> ") else paragraph
        for paragraph in paragraphs
    )


def kit_page() -> str:
    """The page of the conformance kit: each check with its docstring, as Markdown."""
    parts = ["# Conformance kit", inspect.cleandoc(testing.__doc__ or "").replace("::\n\n", "")]
    for name, check in CHECKS.items():
        prose = re.split(r"\n\n(?:Args|Returns|Raises):", inspect.cleandoc(check.__doc__ or ""))[0]
        arguments = inspect.signature(check).parameters.values()
        shown = ", ".join(str(each.replace(annotation=each.empty)) for each in arguments)
        parts += [f"## {name}", f"```python\n{name}({shown})\n```"]
        parts.append(re.sub(r":\w+:`", "`", prose))
    return "\n\n".join(parts)


def pictures() -> Iterator[tuple[Entry, NDArray[np.uint8]]]:
    """Each entry with a picture, uint8 (height, width, 3), of an episode by its shown agent.

    An environment closes once the next has been played, so that those of a browser share one.
    """
    with ExitStack() as previous:
        for entry in track(CURRENT.values(), "environments", disable=not sys.stderr.isatty()):
            env = gym.make(f"envs:{entry.id}", render_mode="rgb_array")
            frame = picture(entry, env)
            previous.close()
            previous.callback(env.close)
            yield entry, frame


def picture(entry: Entry, env: gym.Env[Any, Any]) -> NDArray[np.uint8]:
    """An episode just before or at its end.

    Of an episode that ends by leaving for a page of thanks, the page before says more.
    """
    before_the_end = shown_before_end(entry.domain)
    for moment in rollout(env, load_agent(shown(entry.domain), env), 0):
        if moment.ended != before_the_end:
            frame: Any = env.render()
    return np.asarray(frame, np.uint8)


def commands_page() -> str:
    """The help of every command, as Markdown."""
    runner = CliRunner()
    parts = ["# Commands"]
    for words in ((), *paths(get_group(app))):
        shown = runner.invoke(
            app, [*words, "--help"], env={"COLUMNS": str(HELP_WIDTH)}, color=False
        )
        heading = " ".join(["gymworks", *words])
        parts.append(f"## {heading}\n\n```text\n{shown.output.strip()}\n```")
    return "\n\n".join(parts)


def _title(page: Path) -> str:
    """A page's heading."""
    return page.read_text().partition("\n")[0].removeprefix("# ")


def _settings(source: Path, output: Path) -> dict[str, Any]:
    """The site's configuration; nothing in it asks for anything from the network."""

    def listed(*pages: str) -> list[dict[str, str]]:
        return [{_title(source / page): page} for page in pages]

    environments = (f"environments/{env_id}.md" for env_id in CURRENT)
    return {
        "docs_dir": str(source),
        "site_dir": str(output),
        "use_directory_urls": False,
        "strict": True,
        "plugins": ["search"],
        "validation": {"links": {"anchors": "warn", "absolute_links": "warn"}},
        "theme": {"name": "material", "font": False, "features": ["navigation.indexes"]},
        "markdown_extensions": ["tables", "admonition", "fenced_code"],
        "nav": [
            {"Home": "index.md"},
            {"Domains": listed(*(f"{name}/page.md" for name in domain_pages()))},
            {"Guides": listed(*GUIDES)},
            {"Environments": listed(*environments)},
            *listed("kit.md", "commands.md", *HISTORY),
        ],
    }


def main(output: Path = Path("site")) -> None:
    """Builds the site."""
    build(output.resolve())
    typer.echo(f"written: {output / 'index.html'}")


if __name__ == "__main__":
    run(main)

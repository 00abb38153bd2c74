"""``gymworks benchmark``: several agents on several environments, with intervals."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from agents.engines.base import qualified
from agents.process import AgentProcess
from envs.arguments import check_arguments
from envs.registration import CURRENT
from experiments import statistics
from experiments.evaluate import check_options, evaluate, make
from experiments.options import (
    AsJson,
    EnvKwargs,
    Options,
    Quiet,
    Split,
    Trust,
    bar,
    interrupted,
    pairs,
    print_json,
    printer,
    reset_options,
)
from experiments.results import (
    ALIKE,
    LEGACY,
    Result,
    normalised_of,
    options_of,
    read_unchanged,
    standing,
)
from experiments.seeds import Seeds, parse
from experiments.spot_check import Replay, parse_replay, spot_check
from hardware_sim.errors import InputError
from hardware_sim.files import check_folder, write_json

SEEDS = 5


def parse_suite(suite: str) -> list[str]:
    """The ids of a suite: a domain, ``"all"``, or ids separated by commas.

    Raises:
        InputError: Gymnasium does not know an id, or one is named twice.
    """
    ids = [
        entry.id for entry in CURRENT.values() if suite == "all" or entry.domain == suite
    ] or suite.split(",")
    domains = sorted({entry.domain for entry in CURRENT.values()})
    try:
        found = [qualified(name) for name in ids]
    except InputError as error:
        kinds = ", ".join(["all", *domains])
        raise InputError(
            f"suite {suite!r} is none of {kinds}, nor a list of ids: {error}"
        ) from None
    return _distinct("environment", found)


def _distinct(kind: str, names: list[str]) -> list[str]:
    """The names, none of them empty or there twice."""
    for name in names:
        if not name or names.count(name) > 1:
            raise InputError(f"{kind} {name!r} is named {names.count(name)} times in {names}")
    return names


def seeds_of(
    env_id: str, count: int, episodes: int = 1, options: Mapping[str, Any] | None = None
) -> Seeds:
    """So many seeds of the id's test list, which goes on upwards from its last seed.

    Args:
        env_id: Any id that Gymnasium knows.
        count: Number of seeds.
        episodes: Episodes of each.
        options: Options of resets, over those of the list.

    Raises:
        InputError: ``count`` or ``episodes`` is below 1.
    """
    if count < 1:
        raise InputError(f"seeds is {count}; allowed: at least 1")
    listed = parse(env_id, "test", episodes, options)
    if count == len(listed.seeds):
        return listed
    last = max(listed.seeds)
    seeds = (*listed.seeds, *range(last + 1, last + 1 + count))[:count]
    return Seeds(seeds, None, None, episodes, listed.options)


def file_name(agent: str, env_id: str) -> str:
    """The name of the result file of an agent on an environment; no two pairs share one."""
    name = re.sub(r"[^\w.-]+", "-", f"{agent}--{env_id.removeprefix('envs:')}").strip("-.")
    return f"{name}-{hashlib.sha256(f'{agent} {env_id}'.encode()).hexdigest()[:6]}.json"


class Benchmark:
    """Agents and ids to play, and the folder of the results.

    Args:
        suite: See :func:`parse_suite`.
        agents: See :func:`agents.loading.load_agent`.
        folder: Gets a result file for each agent and environment.
        seeds: Number of seeds, see :func:`seeds_of`.
        episodes: Episodes of each seed.
        resume: Keep the results that the folder holds already.
        replay: Episodes of each such result that are replayed first; ``None`` is all of them.
        env_kwargs: Arguments of every environment, over those of its spec.
        options: Options of all resets, over those of the test lists.

    Raises:
        InputError: An id or agent does not exist or they do not fit each other; an id does not
            take the arguments or the options, and the message names all that do not; or the folder
            holds something and ``resume`` is not set, holds other settings' results, or cannot be
            written.
    """

    def __init__(
        self,
        suite: str,
        agents: list[str],
        folder: str | Path,
        seeds: int = SEEDS,
        episodes: int = 1,
        resume: bool = False,
        replay: int | None = 1,
        env_kwargs: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.suite, self.folder, self._replay = suite, Path(folder), replay
        self.ids, self.agents = parse_suite(suite), _distinct("agent", agents)
        self.env_kwargs, options = env_kwargs or {}, options or {}
        self.seeds = {env_id: seeds_of(env_id, seeds, episodes, options) for env_id in self.ids}
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder} is no folder")
        if not resume and self.folder.exists() and any(self.folder.iterdir()):
            raise InputError(f"{self.folder} exists; --resume continues it, or choose another")
        check_folder(self.folder)
        self._check_settings(options)
        self.pairs = [(agent, env_id) for env_id in self.ids for agent in self.agents]
        self._checks: dict[tuple[str, str], str] = {}
        self.done = {pair: found for pair in self.pairs if (found := self._finished(*pair))}
        self._check_agents()

    def _check_settings(self, options: dict[str, Any]) -> None:
        """Tries arguments and options on every id."""
        refusals: dict[str, list[str]] = {}
        for env_id in self.ids:
            try:
                check_arguments(env_id, self.env_kwargs)
                check_options(env_id, self.env_kwargs, options)
            except InputError as error:
                reason = str(error).replace(f" of {env_id}", "").removeprefix(f"{env_id} ")
                refusals.setdefault(reason, []).append(env_id)
        if refusals:
            raise InputError(
                "; ".join(f"{', '.join(ids)}: {reason}" for reason, ids in refusals.items())
            )

    def _check_agents(self) -> None:
        """Makes every agent once, in one other process, so that a wrong name costs no hour."""
        process: AgentProcess | None = None
        with ExitStack() as stack:
            for env_id in self.ids:
                with closing(make(env_id, self.env_kwargs)) as env:
                    for agent in self.agents:
                        if process is None:
                            process = stack.enter_context(closing(AgentProcess(agent, env)))
                        else:
                            process.load(agent, env)

    def _path(self, agent: str, env_id: str) -> Path:
        return self.folder / "results" / file_name(agent, env_id)

    def _finished(self, agent: str, env_id: str) -> Result | None:
        path = self._path(agent, env_id)
        if not path.exists():
            return None
        result = read_unchanged(path)
        played = [(episode["seed"], episode["episode"]) for episode in result["episodes"]]
        asked = list(self.seeds[env_id])
        if result["format"] == LEGACY:
            raise InputError(f"{path} is of an older format; choose another --run-dir")
        if (result["agent"], result["env_id"], played) != (agent, env_id, asked):
            raise InputError(
                f"{path} was made with {len({seed for seed, _ in played})} seeds and "
                f"{len(played)} episodes in all; this asks for {len(self.seeds[env_id].seeds)} "
                f"and {len(asked)}: choose another --run-dir"
            )
        for name, found, wanted in (
            ("arguments", result["env_kwargs"], self.env_kwargs),
            ("options", options_of(result), self.seeds[env_id].options),
        ):
            if found != wanted:
                raise InputError(
                    f"{path} was made with the {name} {found}; this asks for {wanted}: "
                    "choose another --run-dir"
                )
        self._checks[agent, env_id] = spot_check(result, self._replay)
        return result

    def run(self) -> Iterator[tuple[str, str]]:
        """Plays what is missing, one pair of agent and id at a time; yields each when finished."""
        for agent, env_id in self.pairs:
            if (agent, env_id) not in self.done:
                result = evaluate(env_id, agent, self.seeds[env_id], self.env_kwargs)
                write_json(self._path(agent, env_id), result)
                self.done[agent, env_id] = result
                self._checks[agent, env_id] = "just played"
            yield agent, env_id

    def results(self) -> list[Result]:
        """The finished results."""
        return [self.done[pair] for pair in self.pairs]

    def checks(self) -> list[str]:
        """Of each finished result, how much of it was replayed."""
        return [self._checks[pair] for pair in self.pairs]

    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``.

        Returns:
            ``suite``, ``env_kwargs``, ``seeds`` of each id and ``agents``, which gives each agent
            its ``kind`` (:mod:`agents.kinds`; ``"mixed"`` if it is not the same on all ids), its
            ``normalised`` ``iqm``, ``low`` and ``high`` over all ids with the number of episodes
            that are ``left_out`` (``None`` unless each id has some that can be normalised) and its
            ``environments``' aggregates.
        """
        return {
            "suite": self.suite,
            "env_kwargs": self.env_kwargs,
            "seeds": {env_id: seeds.to_json() for env_id, seeds in self.seeds.items()},
            "agents": {
                agent: {
                    "kind": self._kind(agent),
                    "normalised": self._normalised(agent),
                    "environments": {
                        env_id: self.done[agent, env_id]["aggregate"] for env_id in self.ids
                    },
                }
                for agent in self.agents
            },
        }

    def _kind(self, agent: str) -> str:
        kinds = {str(self.done[agent, env_id]["kind"]) for env_id in self.ids}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    def _normalised(self, agent: str) -> dict[str, float] | None:
        """Episodes without a scale are left out; of each id there are as many as of any other."""
        results = [self.done[agent, env_id] for env_id in self.ids]
        columns = [normalised_of(result) for result in results]
        if not all(columns):
            return None
        scores = np.array(list(zip(*columns, strict=False)))
        iqm, low, high = statistics.iqm_interval(scores)
        played = sum(len(result["episodes"]) for result in results)
        left_out = played - scores.size
        return {"iqm": iqm, "low": low, "high": high, "left_out": left_out}


def command(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="A domain, all, or ids separated by commas.")
    ],
    agents: Annotated[str, typer.Option(help="Agents separated by commas, as for evaluate.")],
    seeds: Annotated[int, typer.Option(help="Number of seeds, from the ids' test lists.")] = SEEDS,
    episodes: Annotated[int, typer.Option(help="Episodes of each seed.")] = 1,
    split: Split = None,
    option: Options = None,
    env: EnvKwargs = None,
    run_dir: Annotated[Path | None, typer.Option(help="Default: runs/benchmark-SUITE.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip what is finished.")] = False,
    replay: Replay = "1",
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compare agents over environments: a table with intervals, summary.json and a report."""
    name = re.sub(r"[^\w.-]+", "-", suite)
    folder = run_dir or Path("runs") / f"benchmark-{name}"
    benchmark = Benchmark(
        suite,
        agents.split(","),
        folder,
        seeds,
        episodes,
        resume,
        parse_replay(replay),
        pairs(env or []),
        reset_options(split, option),
    )
    try:
        with bar(quiet) as shown:
            task = shown.add_task(suite, total=len(benchmark.pairs))
            for agent, env_id in benchmark.run():
                shown.update(task, advance=1, description=f"{agent} on {env_id}")
    except KeyboardInterrupt:
        interrupted(
            f"interrupted; {len(benchmark.done)} of {len(benchmark.pairs)} results are kept in "
            f"{folder}: the same command with --resume goes on"
        )
    from experiments.page import render  # matplotlib and pages are slow to import
    from experiments.report_results import result_sections

    summary = benchmark.summary()
    write_json(folder / "summary.json", summary)
    sections = result_sections(benchmark.results(), checks=benchmark.checks())
    page = render(f"Benchmark: {suite}", sections, folder / "report.html")
    if as_json:
        print_json({"folder": str(folder), "report": str(page), **summary})
        return
    console = printer(silent=quiet)
    console.print(summary_table(summary))
    words = dict.fromkeys(standing(result)[0] for result in benchmark.results())
    console.print(f"episodes: {' or '.join(words)}", markup=False)
    console.print(f"kept in {folder}; report: {page}", markup=False)


def summary_table(summary: dict[str, Any]) -> Table:
    """The agents, best first and oracles apart; without a common scale, a row an environment."""
    agents: dict[str, Any] = summary["agents"]
    table = Table(title=f"Benchmark {summary['suite']}")
    if all(found["normalised"] for found in agents.values()):
        for heading in ("agent", "kind", "normalised IQM", "95 % interval"):
            table.add_column(heading, justify="left" if heading in ("agent", "kind") else "right")
        ranked = sorted(agents.items(), key=lambda a: -a[1]["normalised"]["iqm"])
        for agent, found in sorted(ranked, key=_is_oracle):
            scale = found["normalised"]
            interval = statistics.between(scale["low"], scale["high"], ".3f") or ALIKE
            table.add_row(agent, found["kind"], f"{scale['iqm']:.3f}", interval)
        return table
    for heading in ("environment", "agent", "IQM", "95 % interval", "kind"):
        left = heading in ("environment", "agent", "kind")
        table.add_column(heading, justify="left" if left else "right")
    for agent, found in sorted(agents.items(), key=_is_oracle):
        for env_id, scale in found["environments"].items():
            interval = statistics.between(scale["low"], scale["high"], ".6g") or ALIKE
            score = f"{scale['iqm']:.6g} {scale['unit']}"
            table.add_row(env_id, agent, score, interval, found["kind"])
    return table


def _is_oracle(row: tuple[str, dict[str, Any]]) -> bool:
    return bool(row[1]["kind"] == "oracle")

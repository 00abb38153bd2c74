"""The documentation site, built for real."""

import html
import json
import re

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image
from typer.main import get_group

from envs.registration import CURRENT, DOMAINS, references
from envs.testing import CHECKS
from experiments import docs
from experiments.cli import app
from experiments.verbs import paths


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    output = tmp_path_factory.mktemp("site")
    docs.build(output)
    return output


@pytest.mark.parametrize("env_id", CURRENT)
def test_every_environment_has_a_page_with_its_picture_and_scores(site, env_id):
    page = (site / "environments" / f"{env_id}.html").read_text()
    assert f'src="{env_id}.png"' in page
    picture = np.asarray(Image.open(site / "environments" / f"{env_id}.png").convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    for heading in ("Observation Space", "Action Space", "Rewards", "Version History"):
        assert heading in page
    assert references(env_id)["reference"]["source"].partition(":")[0] in page


@pytest.mark.parametrize("env_id", CURRENT)
def test_the_columns_of_observations_are_listed(site, env_id):
    env = gym.make(f"envs:{env_id}").unwrapped
    page = html.unescape((site / "environments" / f"{env_id}.html").read_text())
    for key, names in env.columns().items():
        start = page.index(f'<h3 id="columns-of-{key}">')
        table = page[start : page.index("</table>", start)]
        assert re.findall(r"<td>(.*?)</td>", table) == list(names)
    env.close()


@pytest.mark.parametrize("env_id", CURRENT)
def test_doctests_are_code(site, env_id):
    page = (site / "environments" / f"{env_id}.html").read_text()
    assert "<blockquote>" not in page
    assert "&gt;&gt;&gt; import gymnasium as gym" in page


def test_every_check_of_the_kit_is_described(site):
    page = (site / "kit.html").read_text()
    assert all(f">{name}<" in page for name in CHECKS)
    assert "check_masks(target, steps=300, seed=0, illegal=5)" in page


@pytest.mark.parametrize("page", ["index.md", *docs.GUIDES, *docs.HISTORY])
def test_every_page_written_by_hand_is_there(site, page):
    title = (docs.PAGES / page).read_text().partition("\n")[0].removeprefix("# ")
    assert f">{title}<" in (site / page).with_suffix(".html").read_text()


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_its_page_with_its_pictures(site, domain):
    text = (docs.PAGES.parent / domain / "page.md").read_text()
    page = (site / domain / "page.html").read_text()
    for name in re.findall(r"!\[[^]]*\]\((\w+\.png)\)", text):
        assert f'src="{name}"' in page
        assert (site / domain / name).exists()
    ids = [name for name, entry in CURRENT.items() if entry.domain == domain]
    assert any(env_id in page for env_id in ids)


def test_pages_can_be_searched(site):
    found = json.loads((site / "search" / "search_index.json").read_text())
    assert {"placement/page.html", "commands.html"} <= {
        page["location"].partition("#")[0] for page in found["docs"]
    }


def test_the_readme_has_links():
    assert "](experiments/" in (docs.PAGES.parents[1] / "README.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_the_front_pages_lead_to_files(name):
    root = docs.PAGES.parents[1]
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (root / name).read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (root / link).exists()] == []


def test_every_command_is_described(site):
    page = (site / "commands.html").read_text()
    headings = re.findall(r"<h2 id=[^>]*>(.*?)<", page)
    verbs = [" ".join(("gymworks", *words)) for words in paths(get_group(app))]
    assert headings == ["gymworks", *verbs]
    assert {"gymworks train", "gymworks web replay", "gymworks dance data"} < set(verbs)
    for option in ("--run-dir", "--allow-drift", "--difficulties", "--install-completion"):
        assert option in page


def test_no_page_asks_the_network_for_anything(site):
    loads = re.compile(r'<(?:script|img|link)[^>]*(?:src|href)="(?:https?:)?//')
    pages = list(site.glob("**/*.html"))
    assert len(pages) > len(CURRENT)
    assert not [page for page in pages if loads.search(page.read_text())]

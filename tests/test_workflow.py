"""GitHub's workflow: each step can run, each target of make exists, no job may do more than it needs."""

import re
from pathlib import Path

import pytest
import yaml

from companion import clone

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
KNOWN = {"name", "on", "permissions", "concurrency", "jobs", "env", "defaults"}
OF_A_JOB = {
    "name",
    "if",
    "needs",
    "runs-on",
    "timeout-minutes",
    "permissions",
    "environment",
    "outputs",
    "steps",
}
OF_A_STEP = {"id", "if", "name", "uses", "with", "run", "env", "working-directory"}


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request):
    class Words(yaml.SafeLoader):
        """YAML as GitHub reads it: `on` is a word."""

    Words.yaml_implicit_resolvers = {
        first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:bool"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return yaml.load(request.param.read_text(encoding="utf-8"), Words)


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow():
    assert [path.name for path in WORKFLOWS] == ["book.yml"]


def test_every_key_is_one_that_github_knows(workflow):
    assert set(workflow) <= KNOWN
    assert {"push", "pull_request", "workflow_dispatch"} == set(workflow["on"])
    for job in workflow["jobs"].values():
        assert set(job) <= OF_A_JOB
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
        assert set([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])) <= set(
            workflow["jobs"]
        )


def test_a_step_either_runs_something_or_uses_an_action_of_a_named_version(workflow):
    for step in steps(workflow):
        assert set(step) <= OF_A_STEP
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_expressions_are_closed_and_name_what_exists(workflow):
    known = ("github.", "steps.", "needs.")
    for text in re.findall(r"\$\{\{(.*?)\}\}", str(workflow)):
        assert text.strip().startswith(known), text
    assert str(workflow).count("${{") == len(re.findall(r"\$\{\{.*?\}\}", str(workflow)))
    for job in workflow["jobs"].values():
        named = {step["id"] for step in job["steps"] if "id" in step}
        assert set(re.findall(r"steps\.(\w+)\.", str(job))) <= named
    for name, output in re.findall(r"needs\.(\w+)\.outputs\.(\w+)", str(workflow)):
        assert output in workflow["jobs"][name]["outputs"]


def test_every_target_of_make_and_every_module_exists(workflow):
    commands = "\n".join(step.get("run", "") for step in steps(workflow))
    made = re.findall(r"\bmake (\w+)", commands)
    assert {"test", "lint", "dist", "launch"} <= set(made) <= set(clone.COMMANDS)
    assert "BOOK=_build/html make test" in commands


def test_only_a_push_to_main_publishes_and_only_its_jobs_may_write(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    writing = {
        name: job for name, job in workflow["jobs"].items() if "write" in job.get("permissions", {}).values()
    }
    assert set(writing) == {"site", "notebooks"}
    for job in writing.values():
        assert "github.ref == 'refs/heads/main'" in job["if"]
        assert "github.event_name != 'pull_request'" in job["if"]
        assert job["needs"] == "build"
    assert writing["site"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert writing["notebooks"]["permissions"] == {"contents": "write"}

"""Programs to count: of this checkout, and of a commit before it."""

import contextlib
import os
import shutil
import subprocess

from process import CountError
from record import REPOSITORY, git

PROFILE = "dist"
TARGET = REPOSITORY / "target"


def current():
    """Builds the checkout as it is."""
    return built(REPOSITORY, "current")


@contextlib.contextmanager
def commit(revision):
    """Builds a commit in a worktree of its own, with the dependencies that are there."""
    tree = TARGET / "instructions" / "base"
    remove(tree)
    subprocess.run(["git", "-c", f"safe.directory={REPOSITORY}", "worktree", "add", "--quiet", "--detach", tree, revision],
                   cwd=REPOSITORY, check=True)
    try:
        yield built(tree, "base")
    finally:
        remove(tree)


def built(tree, name):
    command = ["cargo", "build", "--locked", "--profile", PROFILE, "--bin", "wxgate"]
    done = subprocess.run(command, cwd=tree, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)}, check=False)
    if done.returncode != 0:
        raise CountError(f"{tree}: does not build")
    # The next one is built to the same place.
    program = TARGET / "instructions" / f"wxgate-{name}"
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(TARGET / PROFILE / "wxgate", program)
    return program


def remove(tree):
    if tree.exists():
        git("worktree", "remove", "--force", str(tree))
        shutil.rmtree(tree, ignore_errors=True)
    git("worktree", "prune")

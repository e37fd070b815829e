"""wxgate under callgrind, and what it counted."""

import shutil

from process import CountError, Wxgate


def started(program, folder, port, config, *options):
    """wxgate under valgrind, which writes its counts into the folder."""
    files = [f"--log-file={folder}/valgrind.log", f"--callgrind-out-file={folder}/counts"]
    return Wxgate(["valgrind", "--tool=callgrind", *files, *options, program], folder, port, config)


def total(path):
    """The instructions in a file of callgrind's."""
    for line in path.read_text().splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise CountError(f"valgrind counted nothing in {path.name}")


def missing():
    return [] if shutil.which("valgrind") else ["valgrind"]

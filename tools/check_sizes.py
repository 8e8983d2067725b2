#!/usr/bin/python3
"""Files of about 400 lines, functions of about 70: refused above FILE_LINES and FUNCTION_LINES.

What was larger when the check came is listed in tools/sizes_baseline.txt (`lines path` and `lines path function`). The
list may only shrink: an entry never rises, and one that fell or went is rewritten with --update.
"""

import ast
import pathlib
import subprocess
import sys

import cpp_functions

FILE_LINES = 450
FUNCTION_LINES = 80
BASELINE = pathlib.Path("tools/sizes_baseline.txt")


def functions_of(path, text):
    if path.endswith(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.lineno, node.end_lineno - node.lineno + 1
    else:
        yield from cpp_functions.functions(text)


def oversized(path, text):
    """{key: lines} of what is over the limit in one file; the key is its line of the baseline without the number."""
    found = {}
    lines = text.count("\n")
    if lines > FILE_LINES:
        found[path] = lines
    for name, _, size in functions_of(path, text):
        if size > FUNCTION_LINES:
            key = "%s %s" % (path, name)
            found[key] = max(size, found.get(key, 0))
    return found


def parse_baseline(text):
    entries = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            size, key = line.split(" ", 1)
            entries[key] = int(size)
    return entries


def compare(found, baseline):
    """(complaints, the baseline as it may be now)"""
    complaints = []
    for key, size in sorted(found.items()):
        if size > baseline.get(key, 0):
            limit = baseline.get(key) or (FUNCTION_LINES if " " in key else FILE_LINES)
            complaints.append("%s: %d lines, at most %d" % (key, size, limit))
    shrunk = {key: min(size, found[key]) for key, size in baseline.items() if key in found}
    return complaints, shrunk


def raised(baseline, committed):
    return ["%s: the baseline may only shrink" % key for key, size in sorted(baseline.items())
            if size > committed.get(key, 0)]


def git(*arguments):
    return subprocess.run(["git", *arguments], capture_output=True, text=True)


def main():
    found, complaints = {}, []
    for path in git("ls-files", "*.cpp", "*.h", "*.py").stdout.splitlines():
        if pathlib.Path(path).is_file():
            try:
                found.update(oversized(path, pathlib.Path(path).read_text(encoding="utf-8")))
            except (ValueError, SyntaxError) as error:
                complaints.append("%s: %s" % (path, error))
    baseline = parse_baseline(BASELINE.read_text())
    more, shrunk = compare(found, baseline)
    complaints += more
    committed = git("show", "HEAD:%s" % BASELINE)
    if committed.returncode == 0:
        complaints += raised(baseline, parse_baseline(committed.stdout))
    if shrunk != baseline:
        if "--update" in sys.argv[1:]:
            header = [line for line in BASELINE.read_text().splitlines() if line.startswith("#")]
            entries = ["%d %s" % (size, key) for key, size in sorted(shrunk.items())]
            BASELINE.write_text("\n".join(header + entries) + "\n")
        else:
            complaints.append("%s lists more than there is: run tools/check_sizes.py --update" % BASELINE)
    print("\n".join(complaints), end="\n" if complaints else "")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Texts: no tabs, no trailing blanks, no notes to self; what documents name exists, and formats keep their rules.

- Every docs/... path that a tracked text names is a tracked file.
- No loop runs over a part of a result that nothing holds: before C++23 it is gone while the loop reads it.
- Every page of docs/formats names its version and at least one golden file or test; every golden file is named by a page
  of docs/ or by a test.
"""

import pathlib
import re
import subprocess
import sys

TEXT = {".cpp", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".toml", ".json", ".proto", ".lua", ".service", ""}
NOTES = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
DOCUMENT = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w\.md\b")

GONE = re.compile(r"\bfor \([^;]*[^:]:[^:;]*\)\.(?:value|value_unsafe)\(\)\)(?!\))")


def complaints_about_lines(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        where = "%s:%d" % (path, number)
        if "\t" in line:
            yield "%s: a tab" % where
        if line != line.rstrip():
            yield "%s: blanks at the end" % where
        if str(path).endswith((".cpp", ".h")) and GONE.search(line):
            yield "%s: a loop over a part of a temporary; name the result first" % where
        if NOTES.search(line):
            yield "%s: a note to self; do it, or say in docs/ what is not done" % where
    if text and not text.endswith("\n"):
        yield "%s: no line end at the end" % path


def missing_documents(path, text, tracked):
    for name in sorted(set(DOCUMENT.findall(text))):
        if name not in tracked:
            yield "%s: names %s, which does not exist" % (path, name)


def complaints_about_formats(texts, goldens):
    pages = {path: text for path, text in texts.items() if path.startswith("docs/formats/")}
    for path, text in sorted(pages.items()):
        if not re.search(r"\bversion\b", text, re.IGNORECASE):
            yield "%s: a format without a version" % path
        if not re.search(r"tests/golden/|_test\b", text):
            yield "%s: names neither a golden file nor a test" % path
    naming = [text for path, text in texts.items() if path.startswith("docs/") or "_test" in path or "/tests/" in "/" + path]
    for golden in sorted(goldens):
        if not any(pathlib.PurePath(golden).name in text for text in naming):
            yield "%s: no page of docs/ and no test names it" % golden


def main():
    listed = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.splitlines()
    tracked = {path for path in listed if pathlib.Path(path).is_file()}
    goldens = {path for path in tracked if path.startswith("tests/golden/")}
    complaints, texts = [], {}
    for path in sorted(tracked - goldens):
        if pathlib.PurePath(path).suffix not in TEXT or path.startswith("tests/fuzz/corpus/") or path == "LICENSE":
            continue
        try:
            texts[path] = pathlib.Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            complaints.append("%s: not UTF-8" % path)
            continue
        complaints += complaints_about_lines(path, texts[path])
        if not path.startswith("tools/"):
            complaints += missing_documents(path, texts[path], tracked)
    complaints += complaints_about_formats(texts, goldens)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Counts what the stages of ./x test left in a directory, and ends with `N passed, N failed, N skipped`.

*.xml are JUnit reports (ctest, pytest); *.tsv hold one `outcome<TAB>name` a line. What is one test to ctest may be a
suite of GoogleTest: beside ctest-PRESET.xml the folder ctest-PRESET holds PROGRAM@SUITE.xml with its cases. Exits 1 when anything failed, or when
nothing ran at all.
"""

import pathlib
import sys
import xml.etree.ElementTree as xml


def junit_outcomes(path):
    for case in xml.parse(path).getroot().iter("testcase"):
        name = "%s %s" % (path.stem, case.get("name"))
        if case.find("failure") is not None or case.find("error") is not None:
            yield "failed", name
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            yield "skipped", name
        else:
            yield "passed", name


def ctest_outcomes(path):
    """The cases of suites; of a suite whose process died, and of what is no suite, what ctest says."""
    suites = {}
    for report in sorted(path.with_suffix("").glob("*@*.xml")):
        suites.setdefault(report.stem.split("@", 1)[1], []).append(report)
    for outcome, name in junit_outcomes(path):
        reports = suites.get(name.split(" ", 1)[1].replace("/", "-"), [])
        if outcome == "passed" and reports:
            continue
        if outcome == "failed" and any(told == "failed" for report in reports for told, _ in suite_outcomes(report)):
            continue
        yield outcome, name
    for reports in suites.values():
        for report in reports:
            yield from suite_outcomes(report)


def suite_outcomes(path):
    for case in xml.parse(path).getroot().iter("testcase"):
        name = "%s %s.%s" % (path.parent.name, case.get("classname"), case.get("name"))
        if case.find("failure") is not None:
            yield "failed", name
        elif case.get("status") == "notrun" or case.get("result") == "skipped":
            yield "skipped", name
        else:
            yield "passed", name


def line_outcomes(path):
    for line in path.read_text().splitlines():
        outcome, name = line.split("\t", 1)
        yield outcome, name


def summarize(directory):
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    stages, bad = [], []
    for path in sorted(directory.iterdir()):
        if path.suffix not in (".xml", ".tsv"):
            continue
        stage = {"passed": 0, "failed": 0, "skipped": 0}
        read = line_outcomes if path.suffix == ".tsv" else ctest_outcomes if path.with_suffix("").is_dir() else junit_outcomes
        for outcome, name in read(path):
            stage[outcome] += 1
            totals[outcome] += 1
            if outcome == "failed":
                bad.append(name)
        stages.append((path.stem, stage))
    return totals, stages, bad


def main():
    totals, stages, bad = summarize(pathlib.Path(sys.argv[1]))
    for name, stage in stages:
        print("%-20s %5d passed %5d failed %5d skipped" % (name, stage["passed"], stage["failed"], stage["skipped"]))
    for name in bad:
        print("FAILED %s" % name)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % totals)
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())

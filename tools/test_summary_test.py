#!/usr/bin/python3
"""What is counted of the reports of ctest, GoogleTest and pytest."""

import pathlib
import tempfile
import unittest

import test_summary

CTEST = '''<testsuite>
<testcase name="Good" status="run"/>
<testcase name="Every/Bad" status="fail"><failure message=""/></testcase>
<testcase name="Dies" status="fail"><failure message=""/></testcase>
<testcase name="example" status="run"/>
<testcase name="no_program_NOT_BUILT" status="notrun"><skipped/></testcase>
</testsuite>'''
GOOD = '''<testsuites><testsuite><testcase name="A" classname="Good" status="run" result="completed"/>
<testcase name="B" classname="Good" status="run" result="skipped"><skipped/></testcase></testsuite></testsuites>'''
BAD = '''<testsuites><testsuite><testcase name="A/0" classname="Every/Bad" status="run" result="completed"/>
<testcase name="A/1" classname="Every/Bad" status="run" result="completed"><failure/></testcase></testsuite></testsuites>'''


class TestSummary(unittest.TestCase):
    def test_suites_are_counted_by_case_and_deaths_once(self):
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            (place / "ctest-tsan").mkdir()
            (place / "ctest-tsan.xml").write_text(CTEST)
            (place / "ctest-tsan" / "one@Good.xml").write_text(GOOD)
            (place / "ctest-tsan" / "one@Every-Bad.xml").write_text(BAD)
            (place / "crash.tsv").write_text("passed\tloop\n")
            totals, stages, bad = test_summary.summarize(place)
        self.assertEqual(totals, {"passed": 4, "failed": 2, "skipped": 2})
        self.assertEqual([name for name, _ in stages], ["crash", "ctest-tsan"])
        self.assertEqual(sorted(bad), ["ctest-tsan Dies", "ctest-tsan Every/Bad.A/1"])


if __name__ == "__main__":
    unittest.main()

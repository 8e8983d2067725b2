import unittest

import check_texts


class CheckTexts(unittest.TestCase):
    def test_lines(self):
        bad = "a\tb\nc \n// TO" + "DO: later\nend"
        self.assertEqual(len(list(check_texts.complaints_about_lines("a.cpp", bad))), 4)
        self.assertEqual(list(check_texts.complaints_about_lines("a.cpp", "a b\n  c\n")), [])

    def test_loops_over_what_is_gone(self):
        for bad in ("for (const auto x : value.get_array().value_unsafe()) add(x);", "  for (auto& x : read(a).value()) {"):
            self.assertEqual(len(list(check_texts.complaints_about_lines("a.cpp", bad + "\n"))), 1)
        for good in ("for (const auto x : items) {", "for (auto& x : words_of(e.get().value())) {", "for (;;) f().value();"):
            self.assertEqual(list(check_texts.complaints_about_lines("a.cpp", good + "\n")), [])

    def test_named_documents_exist(self):
        text = "see docs/one.md and docs/formats/two.md, not mydocs/three.md"
        complaints = list(check_texts.missing_documents("a.h", text, {"docs/one.md"}))
        self.assertEqual(complaints, ["a.h: names docs/formats/two.md, which does not exist"])

    def test_formats_have_versions_and_golden_files(self):
        good = {"docs/formats/log.md": "Version 1; tests/golden/log.hex\n"}
        self.assertEqual(list(check_texts.complaints_about_formats(good, {"tests/golden/log.hex"})), [])
        bad = {"docs/formats/log.md": "bytes\n", "src/a.cpp": "log.hex\n"}
        self.assertEqual(len(list(check_texts.complaints_about_formats(bad, {"tests/golden/log.hex"}))), 3)


if __name__ == "__main__":
    unittest.main()

import unittest

import check_includes


def complaints(path, *lines):
    return list(check_includes.complaints_about(path, "\n".join(lines), lambda target: True))


class CheckIncludes(unittest.TestCase):
    def test_downward_is_fine(self):
        self.assertEqual(complaints("src/kv/transaction.cpp", '#include "kv/engine.h"', '#include "base/bytes.h"'), [])
        self.assertEqual(complaints("src/service/records.cpp", '#include "layers/records/rows.h"'), [])
        self.assertEqual(complaints("src/app/main.cpp", '#include "faces/rest/server.h"'), [])

    def test_upward_is_refused_with_its_place(self):
        (complaint,) = complaints("src/base/bytes.h", "", '#include "kv/engine.h"')
        self.assertIn("src/base/bytes.h:2", complaint)

    def test_sideways_is_refused(self):
        for path, target in (
            ("src/layers/records/rows.cpp", "layers/documents/tables.h"),
            ("src/layers/records/rows.cpp", "engine/memory/memory_engine.h"),
            ("src/layers/records/rows.cpp", "faces/rest/server.h"),
            ("src/faces/rest/records_routes.cpp", "layers/records/rows.h"),
            ("src/faces/rest/records_routes.cpp", "kv/transaction.h"),
            ("src/service/records.cpp", "engine/rocksdb/rocksdb_engine.h"),
            ("src/engine/rocksdb/open.cpp", "engine/memory/memory_engine.h"),
            ("src/tuple/tuple.cpp", "kv/engine.h"),
        ):
            with self.subTest(path=path, target=target):
                self.assertEqual(len(complaints(path, '#include "%s"' % target)), 1)

    def test_vendor_headers_stay_with_their_engine(self):
        self.assertEqual(len(complaints("src/app/main.cpp", "#include <rocksdb/db.h>")), 1)
        self.assertEqual(len(complaints("src/kv/kv.cpp", '# include "rocksdb/db.h"')), 2)
        self.assertEqual(complaints("src/engine/rocksdb/open.cpp", "#include <rocksdb/db.h>"), [])

    def test_tests_may_bring_an_engine(self):
        self.assertEqual(complaints("src/kv/transaction_test.cpp", '#include "engine/memory/memory_engine.h"'), [])
        self.assertEqual(len(complaints("src/kv/transaction_test.cpp", '#include "service/records.h"')), 1)
        self.assertEqual(len(complaints("src/base/bytes_test.cpp", '#include "engine/memory/memory_engine.h"')), 1)

    def test_paths_are_written_from_src(self):
        (complaint,) = complaints("src/kv/kv.cpp", '#include "engine.h"')
        self.assertIn("not a path from src/", complaint)

    def test_a_new_folder_must_be_drawn_first(self):
        (complaint,) = complaints("src/utils/misc.cpp", '#include "base/bytes.h"')
        self.assertIn("no part of the picture", complaint)


if __name__ == "__main__":
    unittest.main()

import textwrap
import unittest

import check_sizes
import cpp_functions


def found(text):
    return list(cpp_functions.functions(textwrap.dedent(text).lstrip("\n")))


class CppFunctions(unittest.TestCase):
    def test_functions_methods_and_tests(self):
        self.assertEqual(found('''
            namespace strata {
            struct Point { int x = 0; };
            int Point::area(int a,
                            int b) const {
              if (a) { return b; }
              return 1;
            }
            class Box : public Point {
             public:
              ~Box() override { close(); }
              bool operator()() const { return true; }
            };
            TEST(Box, Closes) {
            }
            }  // namespace strata
            '''), [("Point::area", 3, 5), ("~Box", 10, 1), ("operator()", 11, 1), ("TEST(Box, Closes)", 13, 2)])

    def test_braces_in_literals_comments_and_macros_do_not_count(self):
        self.assertEqual(found('''
            #define OPEN(x) \\
              { x
            const char* text = "}}}";  // {
            char brace = '{'; int million = 1'000'000;
            const char* raw = R"json({"a": ")")json";
            /* { */
            void f() {
              use('}', "\\"{");
            }
            '''), [("f", 7, 3)])

    def test_initializers_are_no_functions_but_their_lambdas_are(self):
        self.assertEqual(found('''
            const Route routes[] = {
                {"get", size(1), {}},
                {"put", size(2), [](Request& request) {
                   return 1;
                 }},
            };
            std::vector<int> numbers{1, 2};
            enum class Color { red };
            '''), [("lambda", 3, 3)])

    def test_constructors_with_braced_members(self):
        self.assertEqual(found('''
            Server::Server(Options options)
                : options_{std::move(options)}, pool_(options_.threads), count_{0} {
              start();
            }
            Server::Server(A a = {}) : a_{1}, thread_([this] { loop(); }) {
              wait();
            }
            '''), [("Server::Server", 1, 4), ("Server::Server", 5, 3)])

    def test_a_lambda_belongs_to_its_function(self):
        self.assertEqual(found('''
            void f() {
              run([&](int x) {
                return x;
              });
            }
            '''), [("f", 1, 5)])

    def test_unbalanced_is_an_error(self):
        with self.assertRaises(ValueError):
            found("void f() {")


class Ratchet(unittest.TestCase):
    def test_long_function_and_file_are_found(self):
        text = "void f() {\n" + "  g();\n" * 500 + "}\n"
        self.assertEqual(check_sizes.oversized("a.cpp", text), {"a.cpp": 502, "a.cpp f": 502})
        self.assertEqual(check_sizes.oversized("a.py", "def f():\n" + "  g()\n" * 90), {"a.py f": 91})

    def test_new_and_grown_are_refused_equal_is_not(self):
        complaints, _ = check_sizes.compare({"a.cpp": 500, "b.cpp": 501, "c.cpp": 600}, {"b.cpp": 500, "c.cpp": 600})
        self.assertEqual(len(complaints), 2)

    def test_the_baseline_only_shrinks(self):
        self.assertEqual(check_sizes.compare({"a.cpp": 480}, {"a.cpp": 500, "gone.cpp": 700}), ([], {"a.cpp": 480}))
        self.assertEqual(check_sizes.raised({"a.cpp": 480}, {"a.cpp": 500}), [])
        self.assertEqual(len(check_sizes.raised({"a.cpp": 501, "new.cpp": 460}, {"a.cpp": 500})), 2)


if __name__ == "__main__":
    unittest.main()

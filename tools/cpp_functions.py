"""Finds the functions of a C++ file by matching braces. No compiler needed; good enough to measure them."""

import re

LITERALS = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<raw>[^()\\\s]{0,16})\(.*?\)(?P=raw)"|"(?:[^"\\\n]|\\.)*"|(?<![0-9a-fA-F])\'(?:[^\'\\\n]|\\.)+\'',
    re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
SCOPES = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:export\s+|inline\s+|typedef\s+)*(?:namespace|class|struct|union|enum|extern)\b",
                    re.DOTALL)
CONSTRUCTOR = re.compile(r"\)\s*(?:noexcept(?:\([^)]*\))?\s*)?:(?!:)")
LAMBDA = re.compile(r"\](?:\s*\([^{}]*\)[^{}]*|\s*(?:mutable|noexcept)?\s*)$", re.DOTALL)
NAME = re.compile(r"(operator\s*\(\)|operator\s*[^\s\w(]+|[~\w:]+(?:\s*<[^<>]*>)?)\s*\(")
LABEL = re.compile(r"^\s*(?:public|protected|private)\s*:")


def blank(match):
    """Spaces instead of the match, its line ends kept."""
    return re.sub(r"[^\n]", " ", match.group(0))


def blank_literal(match):
    text = blank(match)
    # A string stays visible as a token: `extern "C" {` and `foo("") {` read as before.
    return text if match.group(0).startswith("/") else '"' + text[1:]


def strip(text):
    return DIRECTIVE.sub(blank, LITERALS.sub(blank_literal, text))


def is_lambda(head):
    return LAMBDA.search(head.rstrip()) and not re.search(r"\boperator\s*\[\]", head)


def name_of(head):
    if is_lambda(head):
        match = re.search(r"(\w+)\s*=", head)
        return match.group(1) if match else "lambda"
    match = NAME.search(CONSTRUCTOR.split(head)[0] + ")")
    if not match:
        return "?"
    name = re.sub(r"\s+", " ", match.group(1))
    if name in ("TEST", "TEST_F", "TEST_P", "TYPED_TEST"):
        arguments = head[match.end():].split(")")[0]
        return "%s(%s)" % (name, re.sub(r"\s+", " ", arguments))
    return name


def kind_of(head, inside_initializer):
    """What an opening brace at namespace or class scope begins: function, scope, or initializer."""
    text = head.rstrip()
    if is_lambda(text):
        return "function"
    if inside_initializer or text.endswith(("=", ",", "(", "{", "return")):
        return "initializer"
    if SCOPES.match(text) and not re.search(r"\)\s*(?:const|noexcept|override|final|&|\s)*$", text):
        return "scope"
    if ")" not in text:
        return "initializer" if text else "scope"
    if CONSTRUCTOR.search(text) and re.search(r"[\w>]$", text) and not re.search(r"\b(?:const|override|final|noexcept)$", text):
        return "member"
    return "function"


def functions(text):
    """Yields (name, first line, lines). A lambda inside a function belongs to it."""
    # Kinds: function, scope (namespace, class), initializer, block (inside a function), member (inside a head).
    code = strip(text)
    stack = []  # (kind, first line, name)
    head_start = 0
    line = 1
    for at, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "{":
            inside_function = any(kind == "function" for kind, _, _ in stack)
            head = LABEL.sub(blank, code[head_start:at])
            first = line - head.lstrip().count("\n")
            parent = stack[-1][0] if stack else ""
            if inside_function:
                kind = "block"
            elif parent == "member" or head.count("(") > head.count(")"):
                kind = "member"  # a default argument, or an argument of a constructor's member
            else:
                kind = kind_of(head, parent == "initializer")
            stack.append((kind, first, name_of(head) if kind == "function" else ""))
            if kind != "member":
                head_start = at + 1
        elif character == "}":
            if not stack:
                raise ValueError("line %d: unbalanced }" % line)
            kind, first, name = stack.pop()
            if kind == "function":
                yield name, first, line - first + 1
            if kind != "member":
                head_start = at + 1
        elif character == ";" and not (stack and stack[-1][0] == "member"):
            head_start = at + 1
    if stack:
        raise ValueError("unbalanced { of line %d" % stack[-1][1])

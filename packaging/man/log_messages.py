"""The messages that anchord logs, with level and code, out of its sources: what problems.py writes into anchord-problems(7).

A message is the first argument of log_info(), log_warn() or log_error(), the second one of log_at(). Where that is no literal it is
looked for where it comes from: a macro, a function with a switch, or the arguments with which the function around it is called.
"""

import re

ROOMS = ("common", "daemon", "protocol", "workers")
CALL = re.compile(r"\blog_(error|warn|info|at)\(")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|.', re.S)
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
FUNCTION = re.compile(r"^(?:static )?[\w ]+[ *](\w+)\(([^;{]*?)\)\n\{\n(.*?)^\}", re.M | re.S)
POINTERS = {"on_action_end": "on_end"}  # a function that others call by the name of a member
LEVELS = {"error": "ERROR", "warn": "WARN", "info": "INFO"}


def arguments(text, place):
    """Of a call, from behind its bracket on; comments are left out."""
    found, depth = [""], 1
    while depth:
        token = TOKEN.match(text, place)[0]
        place += len(token)
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(token, 0)
        if token == "," and depth == 1:
            found.append("")
        elif depth and not token.startswith("/*"):
            found[-1] += token
    return [" ".join(argument.split()) for argument in found]


def literals(expression):
    """Each text of an expression; those of one text stand side by side, those of a choice do not."""
    joined = re.sub(r'"\s+"', "", expression)
    return [re.sub(r"\\(.)", r"\1", text) for text in LITERAL.findall(joined)]


def codes(expression):
    return re.findall(r"\bPROBLEM_([A-Z0-9_]+)\b", expression)


class Sources:
    def __init__(self, root):
        self.files = {file: file.read_text(encoding="utf-8") for room in ROOMS for file in sorted((root / room).rglob("*.[ch]"))}
        self.unknown = []  # places whose message was not found

    def messages(self):
        """{(message, level, name of the problem or None)}"""
        found = set()
        for file, text in self.files.items():
            for call in CALL.finditer(text):
                if not text[text.rfind("\n", 0, call.start()) + 1:call.start()].lstrip().startswith(("#define", "*", "/*")):
                    words = arguments(text, call.end())
                    level = words.pop(0) if call[1] == "at" else call[1]
                    levels = LEVELS.get(level) or re.findall(r"LOG_LEVEL_(\w+)", level) or ["WARN", "INFO"]
                    problem = "".join(word for word in words if word.startswith("LOG_PROBLEM("))
                    pairs = list(self.resolve(file, text, call.start(), words[0], problem))
                    if not pairs:
                        self.unknown.append(f"{file}: {words[0]}")
                    found |= {(message, one, code) for message, code in pairs for one in ([levels] if isinstance(levels, str) else levels)
                              if one != "DEBUG"}
        return found

    def resolve(self, file, text, place, message, problem):
        """(message, code) of a call: what stands there, or where it comes from."""
        names = codes(problem) or [None]
        if literals(message):
            yield from ((one, name) for one in literals(message) for name in names if one)
        elif asked := re.match(r"(\w+)\(", message):
            told, meant = self.cases(asked[1]), self.cases((re.search(r"(\w+_problem)\(", problem) or ["", ""])[1], codes)
            yield from ((one, name) for label, ones in told.items() for one in ones if one for name in meant.get(label, names))
        elif macro := next((found[1] for one in self.files.values() if (found := re.search(rf"^#define {message} +(.*)$", one, re.M))), None):
            yield from ((one, name) for one in literals(macro) for name in names)
        else:
            yield from self.passed(file, text, place, message, problem)

    def cases(self, name, kind=literals):
        """What a function returns, by the label of its switch."""
        body = next((found[3] for text in self.files.values() for found in FUNCTION.finditer(text) if found[1] == name), "")
        return {label: kind(part) for label, part in re.findall(r"case (\w+):((?:(?!case ).)*)", body, re.S)}

    def passed(self, file, text, place, name, problem):
        """What a variable or parameter of the function around a call may be."""
        around = next((found for found in FUNCTION.finditer(text) if found.start() < place < found.end()), None)
        if not around:
            return
        member, name = name.rpartition("->")[::2]
        for kept in re.finditer(rf"->{name} = (\w+);", text) if member else ():
            yield from self.passed(file, text, kept.start(), kept[1], problem)
        for line in re.finditer(rf"\b{name} = ([^;]*);", around[3]):
            yield from ((one, code) for one in literals(line[1]) for code in codes(problem) or [None] if one)
        for line in re.finditer(rf'snprintf\({name}, [^"]*("[^;]*);', around[3]):
            form = literals(line[1].partition(",")[0])
            yield from ((re.sub(r"%\w*", "…", one), code) for one in form for code in codes(problem) or [None])
        parameters = [re.findall(r"\w+", parameter)[-1] for parameter in around[2].split(",")]
        if name not in parameters:
            return
        number = parameters.index(name)
        called = POINTERS.get(around[1], around[1])
        for other in [text] if around[0].startswith("static") and called == around[1] else self.files.values():
            for call in re.finditer(rf"(?<=[ (!>]){called}\((?=[^)])", other):
                if other[:call.start()].endswith(("static void ", "static bool ", "static int ", "\nvoid ", "\nint ", "\nbool ")):
                    continue
                words = arguments(other, call.end())
                if len(words) == len(parameters):
                    yield from self.resolve(file, other, call.start(), words[number], problem if codes(problem) else " ".join(words))

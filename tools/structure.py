"""Measure the structure of the source: cycles, sizes, docstrings, tests, and who asks for records.

python tools/structure.py            # the figures
python tools/structure.py --list     # and what each of them counts
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE, TESTS = ROOT / "src" / "thalweg", ROOT / "tests"
LONGEST_FILE, LONG_FUNCTION = 500, 35

Function = ast.FunctionDef | ast.AsyncFunctionDef
_NAMED = ast.Name | ast.Attribute


class Module(NamedTuple):
    """A source file.

    Attributes:
        name: "thalweg.ops.build"; that of a package for its `__init__.py`.
        path: of the file.
        tree: what it says.
        lines: how many.
    """

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def package(self) -> str:
        """The package that its relative names are looked up in."""
        return self.name if self.path.stem == "__init__" else self.name.rpartition(".")[0]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, in order."""
    return tuple(map(_module, sorted(PACKAGE.rglob("*.py"))))


def _module(path: Path) -> Module:
    text = path.read_text()
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    name = ".".join(parts).removesuffix(".__init__")
    return Module(name, path, ast.parse(text), text.count("\n"))


# -- imports


def imports(module: Module) -> set[str]:
    """The modules of the package that one imports, at its top or inside of a function.

    `from thalweg import nn` imports the module `nn`, and `from thalweg import constant` the root
    package. What only type checkers import does not count.
    """
    known = {m.name for m in modules()}
    found: set[str] = set()
    for node in _run_code(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in full.values()}
    return (found & known) - {module.name}


def _run_code(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from _run_code(other)
            continue
        yield node
        yield from _run_code(node)


def cycles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or not (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(arrows[name]):
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[-len(group) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return found


# -- records


def record_families() -> dict[str, str]:
    """The folder of `ops` in which each operation's record is defined, by the record's name."""
    families = {}
    for module in modules():
        if module.name.startswith("thalweg.ops."):
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef) and _is_record(node):
                    families[node.name] = module.package
    return families


def _is_record(node: ast.ClassDef) -> bool:
    """Whether a class has the name of an operation type."""
    return any(
        isinstance(item, ast.AnnAssign) and ast.unparse(item.target) == "type" for item in node.body
    )


def questions() -> list[str]:
    """Where a record is asked for by its class, outside of the family that it belongs to."""
    families, found = record_families(), []
    for module in modules():
        places = {**dict.fromkeys(families, module.name), **_imported_from(module)}
        for node in ast.walk(module.tree):
            names = {n for n in _asked_for(node, places) if families.get(n) != module.package}
            if names := names & families.keys():
                found.append(f"{module.path.relative_to(ROOT)}:{_line(node)}: {sorted(names)}")
    return found


def _imported_from(module: Module) -> dict[str, str]:
    """The module that each imported name is from, or is."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _line(node: ast.AST) -> int:
    where: int = getattr(node.pattern if isinstance(node, ast.match_case) else node, "lineno", 0)
    return where


def _asked_for(node: ast.AST, places: Mapping[str, str]) -> set[str]:
    """The classes of operations that a test of a class names."""
    tested: list[ast.AST] = []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        tested = [*node.args[1:]] if node.func.id in ("isinstance", "issubclass") else []
    elif isinstance(node, ast.match_case):
        patterns = (n for n in ast.walk(node.pattern) if isinstance(n, ast.MatchClass))
        tested = [pattern.cls for pattern in patterns]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot):
        tested = list(node.comparators)
    every = (ast.unparse(n) for t in tested for n in ast.walk(t) if isinstance(n, _NAMED))
    return {
        name.rpartition(".")[2]
        for name in every
        if places.get(name.partition(".")[0], "").startswith("thalweg.ops.")
    }


# -- sizes, docstrings, tests


def functions() -> Iterator[tuple[Module, Function]]:
    """Every function and method."""
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, Function):
                yield module, node


def length(function: Function) -> int:
    """The lines of a function's code, without its docstring."""
    first = function.body[0]
    documented = len(function.body) > 1 and ast.get_docstring(function) is not None
    last = function.end_lineno or function.lineno
    skipped = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return last - function.lineno + 1 - skipped


def public_functions() -> list[tuple[str, bool]]:
    """The public functions, classes and methods, and whether each has a docstring.

    A method has that of the method which it overrides, if there is one.
    """
    classes = {
        node.name: node
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    found = []
    for module in modules():
        for owner, node in _public(module.tree):
            versions = _methods(node.name, owner, classes) if owner else [node]
            documented = any(ast.get_docstring(version) is not None for version in versions)
            found.append(
                (f"{module.path.relative_to(ROOT)}:{node.lineno}: {node.name}", documented)
            )
    return found


def _public(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, Function | ast.ClassDef]]:
    """The public functions and classes of a module, and the public methods with their class."""
    for node in tree.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield None, node
            for method in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, Function) and not method.name.startswith("_"):
                    yield node, method  # type: ignore[misc]


def _methods(
    name: str, owner: ast.ClassDef, classes: Mapping[str, ast.ClassDef]
) -> Iterator[Function]:
    """The methods of a name that a class has, and its base classes have."""
    yield from (n for n in owner.body if isinstance(n, Function) and n.name == name)
    for base in owner.bases:
        if found := classes.get(ast.unparse(base).rpartition(".")[2]):
            yield from _methods(name, found, classes)


def without_tests() -> list[str]:
    """The modules with functions that no file of the same place in `tests` is about."""
    missing = []
    for module in modules():
        if not any(isinstance(node, Function) for node in ast.walk(module.tree)):
            continue
        relative = module.path.relative_to(PACKAGE)
        stem = relative.parent.name if relative.stem == "__init__" else relative.stem
        folder = TESTS / relative.parent
        if not any(folder.glob(f"test_{stem.strip('_')}*.py")):
            missing.append(str(module.path.relative_to(ROOT)))
    return missing


def quantile(values: Sequence[int], part: float) -> int:
    """The value that so large a part of all does not exceed."""
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


# -- the report


def report() -> list[tuple[str, object, list[str]]]:
    """Each figure, with its name and what it counts."""
    arrows = {module.name: imports(module) for module in modules()}
    circles = [" <-> ".join(group) for group in cycles(arrows)]
    to_root = [name for name, found in arrows.items() if "thalweg" in found]
    long_files = [f"{m.path.relative_to(ROOT)}: {m.lines}" for m in modules()]
    long_files = [t for m, t in zip(modules(), long_files, strict=True) if m.lines > LONGEST_FILE]
    lengths = [length(function) for _, function in functions()]
    long_functions = [
        f"{module.path.relative_to(ROOT)}:{function.lineno}: {function.name}, {length(function)}"
        for module, function in functions()
        if length(function) > LONG_FUNCTION
    ]
    public = public_functions()
    bare = [place for place, documented in public if not documented]
    documented = 100 * (1 - len(bare) / len(public))
    asked, untested = questions(), without_tests()
    return [
        ("lines", sum(module.lines for module in modules()), []),
        ("import cycles", len(circles), circles),
        ("modules that import the root package", len(to_root), to_root),
        ("records asked for by class outside their family", len(asked), asked),
        (f"files over {LONGEST_FILE} lines", len(long_files), long_files),
        ("functions", len(lengths), []),
        ("lines of a function: median", quantile(lengths, 0.5), []),
        ("lines of a function: nine in ten at most", quantile(lengths, 0.9), []),
        (f"functions over {LONG_FUNCTION} lines", len(long_functions), long_functions),
        ("public functions and classes with docstrings, %", round(documented, 1), bare),
        ("modules without a test file of their own", len(untested), untested),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--list", action="store_true", help="show what each figure counts")
    listed = parser.parse_args(arguments).list
    for name, figure, items in report():
        print(f"{figure:>8}  {name}")
        for item in items if listed else ():
            print(f"            {item}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

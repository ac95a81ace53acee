"""Mutants: copies of a module with one small fault each, and how one is put into a program that runs."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

#: Operators, and what they become.
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
}

#: Parts of a tree that are left alone: types, decorators, and the statements of a header's body (walked on their own).
LEFT_ALONE = {"annotation", "returns", "decorator_list"}

Function = (ast.FunctionDef, ast.AsyncFunctionDef)

#: The name of a row of a table: `form(Readout)`.
ROW = re.compile(r"(\w+)\((\w+)\)")


@dataclass(frozen=True)
class Mutant:
    """One fault in one statement.

    Its name is `scope: statement`, the statement as it is with the fault, so that it stays when lines move.
    """

    module: str
    scope: str  # the function, or the constants, by their qualified names
    statement: str
    lines: range
    imported: bool  # the statement runs when its module is imported
    source: str  # of the module, without the fault
    number: int  # of the fault among those of the module

    @property
    def name(self) -> str:
        return f"{self.scope}: {self.statement}"

    def plant(self) -> None:
        """Put the fault into the module as it is loaded. There is no way back: fork before."""
        module = sys.modules[self.module]
        namespace = {"__name__": self.module, "__file__": module.__file__}
        exec(_code(self.source, self.number), namespace)
        *path, names = self.scope.split(".")
        old, new = module, SimpleNamespace(**namespace)
        for part in path:
            old, new = vars(old)[part], vars(new)[part]
        for name in names.split(", "):
            if row := ROW.fullmatch(name):
                _plant_function(*(_row(vars(each), row[1], row[2]) for each in (old, new)))
            else:
                _plant(old, new, name)
        _forget(self.module.partition(".")[0])


def _plant(old: Any, new: Any, name: str) -> None:
    before, after = vars(old)[name], vars(new)[name]
    target, fault = _function(before), _function(after)
    if isinstance(target, FunctionType) and isinstance(fault, FunctionType):
        _plant_function(target, fault)
    elif isinstance(old, ModuleType):
        for module in list(sys.modules.values()):
            if vars(module).get(name) is before:
                setattr(module, name, after)
    else:
        setattr(old, name, after)
        if "__init__" in vars(old):
            old.__init__.__defaults__ = new.__init__.__defaults__  # a dataclass repeats them there


def _plant_function(target: FunctionType, fault: FunctionType) -> None:
    target.__code__, target.__defaults__ = fault.__code__, fault.__defaults__
    target.__kwdefaults__ = fault.__kwdefaults__


def _row(namespace: dict[str, Any], table: str, kind: str) -> Any:
    """The function that a table of `functools.singledispatch` has for a kind."""
    return next(row for each, row in namespace[table].registry.items() if each.__name__ == kind)


def _forget(package: str) -> None:
    """Empty the caches of a package: what they hold was computed without the fault."""
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == package]:
        for member in list(vars(module).values()):
            if isinstance(clear := getattr(member, "cache_clear", None), BuiltinFunctionType):
                clear()


def _function(member: Any) -> Any:
    """The function within a property, a static method or a cache."""
    for attribute in ("fget", "func", "__func__"):
        member = getattr(member, attribute, None) or member
    return inspect.unwrap(member)


def _code(source: str, number: int) -> CodeType:
    """A module with one of its faults."""
    tree = ast.parse(source)
    next(islice(_all_faults(tree), number, None))
    return compile(ast.fix_missing_locations(tree), "<mutant>", "exec")


def mutants(module: str, source: str) -> list[Mutant]:
    """All mutants of a module: operators swapped, numbers changed, signs dropped, conditions turned."""
    seen, found = Counter[str](), list[Mutant]()
    for number, (scope, statement) in enumerate(_all_faults(ast.parse(source))):
        text = _header(statement)
        seen[f"{scope}: {text}"] += 1
        if seen[f"{scope}: {text}"] > 1:
            text += f"  # {seen[f'{scope}: {text}']}"
        imported = isinstance(statement, Function) or "()" not in scope
        found.append(Mutant(module, scope.replace("()", ""), text, _lines(statement), imported, source, number))
    return found


def _all_faults(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Put every fault of a module into its tree in turn; each with its scope and its statement."""
    for scope, statement in _statements(tree.body, ()):
        for _ in _faults(statement):
            yield scope, statement


def _statements(body: list[ast.stmt], path: tuple[str, ...]) -> Iterator[tuple[str, ast.stmt]]:
    """Statements with their scope: the outermost function they are in, `Class.name()`, or what they assign."""
    for statement in body:
        inside = bool(path) and path[-1].endswith("()")
        if isinstance(statement, ast.ClassDef) and not inside:
            yield from _statements(statement.body, (*path, statement.name))
            continue
        scope = path
        if isinstance(statement, Function) and not inside:
            scope = (*path, f"{_called(statement)}()")
        elif not inside:
            scope = (*path, ", ".join(_targets(statement)))
        yield ".".join(scope), statement
        for field in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, field, []), scope)
        for handler in getattr(statement, "handlers", []):
            yield from _statements(handler.body, scope)


def _called(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Its name, or, of a row of a table, what table and what kinds.

    A row is `@form.register def _(neuron: Readout)`, or names its kinds, `@form.register(Dense)`, once or more.
    """
    if function.name != "_":
        return function.name
    named = [each for each in function.decorator_list if isinstance(each, ast.Call)]
    kinds: list[ast.expr | None] = [each.args[0] for each in named] or [function.args.args[0].annotation]
    table = (named or function.decorator_list)[0]
    of = ast.unparse(table.func if isinstance(table, ast.Call) else table).removesuffix(".register")
    return f"{of}({', '.join(ast.unparse(kind).rpartition('.')[2] for kind in kinds if kind is not None)})"


def _targets(statement: ast.stmt) -> list[str]:
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _faults(node: ast.AST) -> Iterator[None]:
    """Put every fault into a statement in turn, and take it out again."""
    for field, value in ast.iter_fields(node):
        if field in LEFT_ALONE:
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or isinstance(child, (ast.stmt, ast.ExceptHandler)):
                continue
            for fault in _replacements(child, field):
                _put(node, field, index, fault)
                yield
                _put(node, field, index, child)
            yield from _faults(child)


def _put(node: ast.AST, field: str, index: int, child: ast.AST) -> None:
    if isinstance(value := getattr(node, field), list):
        value[index] = child
    else:
        setattr(node, field, child)


def _replacements(node: ast.AST, field: str) -> Iterator[ast.AST]:
    if type(node) in SWAPS:
        yield SWAPS[type(node)]()
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(2 * node.value or 1.0)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand
    elif field in ("test", "ifs") and isinstance(node, ast.expr) and not isinstance(node, (ast.Compare, ast.BoolOp)):
        yield ast.UnaryOp(ast.Not(), node)


def _header(statement: ast.stmt) -> str:
    """A statement in one line, without its body and its decorators."""
    lines = ast.unparse(statement).splitlines()  # of Python 3.10, which puts targets that are tuples in brackets
    return next(line for line in lines if not line.startswith("@")) if hasattr(statement, "body") else lines[0]


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    end = body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1
    return range(statement.lineno, max(end, statement.lineno + 1))

"""Whether a function of a revision does anything."""

import ast


def is_empty(function: ast.FunctionDef | None) -> bool:
    """Whether the function has no statement but a docstring, pass or `...`."""
    return function is None or all(_is_nothing(each) for each in function.body)


def _is_nothing(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or (isinstance(statement, ast.Return) and statement.value is None)
    )

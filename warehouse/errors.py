"""The errors of the warehouse.

WarehouseError
├── WarehouseBusy      another process holds the file; try again
├── WarehouseTooNew    written by a newer subregistry
├── WarehouseBroken    the file cannot be read as a warehouse
├── WarehouseFull      more memory or disk was needed than there is
├── QueryRefused       DuckDB refused a user's statement
├── ExpressionRefused  a rule expression is not allowed; with its position
├── RulesFailed        the rules of a feed failed or took too long
└── BrakeEngaged       an upstream shrank implausibly; nothing was changed
"""


class WarehouseError(Exception):
    pass


class WarehouseBusy(WarehouseError):
    pass


class WarehouseTooNew(WarehouseError):
    pass


class WarehouseBroken(WarehouseError):
    pass


class WarehouseFull(WarehouseError):
    pass


class QueryRefused(WarehouseError):
    pass


class ExpressionRefused(WarehouseError):
    def __init__(self, message: str, *, expression: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.expression = expression
        self.line = line
        self.column = column


class RulesFailed(WarehouseError):
    pass


class BrakeEngaged(WarehouseError):
    """`missing` of `known` entries were gone from a full walk that met `met`."""

    def __init__(self, message: str, *, missing: int, known: int, met: int) -> None:
        super().__init__(message)
        self.missing = missing
        self.known = known
        self.met = met

"""Tables with everything on them that SQLite may put on a table, by groups that go together."""

from tests.migrate.operations.survey.kinds import IS, NUMBER, PLAIN, TEXT, Kind

_COLUMNS = "n INTEGER, m INTEGER NOT NULL DEFAULT 1, CONSTRAINT ck_{t} CHECK (m > -1))"
_INDEX = "; CREATE INDEX ix_{t} ON {t} (m)"
_PLAIN = (
    f"CREATE TABLE {{t}} (id INTEGER PRIMARY KEY NOT NULL, a VARCHAR(50) COLLATE NOCASE DEFAULT 'x'{{null}}, {_COLUMNS}"
)
_NOCASE = TEXT | {"collation": '"NOCASE"'}
_STRICT = _NOCASE | {
    name: f'sa.Column("{column}", sa.Text(collation={{collation}}), server_default={{default}}, nullable={{nullable}})'
    for name, column in (("a", "a"), ("c", "c"), ("wide", "a"))
}
KINDS = {
    "plain": Kind(
        make=_PLAIN + _INDEX,
        has=PLAIN,
        puts=(
            (IS.BEFORE_ROW_TRIGGER, "CREATE TRIGGER a1_{t} BEFORE UPDATE ON {t} BEGIN SELECT 1; END"),
            (IS.AFTER_ROW_TRIGGER, "CREATE TRIGGER a2_{t} AFTER DELETE ON {t} BEGIN SELECT 1; END"),
        ),
        definitions=_NOCASE,
    ),
    "named NOT NULL": Kind(
        make=_PLAIN.replace(" DEFAULT 'x'{null}", " CONSTRAINT odd NOT NULL") + _INDEX,
        has=(IS.NOT_NULL,),
        definitions=_NOCASE | {"default": "None", "was": "None", "nullable": "False"},
        runs=False,
    ),
    "strict": Kind(
        make=_PLAIN.replace("VARCHAR(50)", "TEXT") + " STRICT" + _INDEX, has=(IS.STRICT,), definitions=_STRICT
    ),
    "other types in strict": Kind(
        make=_PLAIN.replace("VARCHAR(50)", "TEXT") + " STRICT" + _INDEX, definitions=_NOCASE, runs=False
    ),
    "without rowid": Kind(make=_PLAIN + " WITHOUT ROWID" + _INDEX, has=(IS.WITHOUT_ROWID,), definitions=_NOCASE),
    "autoincrement": Kind(
        make=_PLAIN.replace("PRIMARY KEY NOT NULL", "PRIMARY KEY AUTOINCREMENT NOT NULL") + _INDEX, definitions=_NOCASE
    ),
    "generated": Kind(
        make=f"CREATE TABLE {{t}} (id INTEGER PRIMARY KEY NOT NULL, a INTEGER AS (id + 1), {_COLUMNS}{_INDEX}",
        has=(IS.GENERATED,),
        definitions=NUMBER,
    ),
    "key": Kind(
        make=f"CREATE TABLE {{t}} (id INTEGER, a INTEGER PRIMARY KEY NOT NULL, {_COLUMNS}{_INDEX}",
        has=(IS.ROWID, IS.PRIMARY_KEY),
        definitions=NUMBER | {"nullable": "False"},
        runs=False,
    ),
    "counted key": Kind(
        make=f"CREATE TABLE {{t}} (id INTEGER, a INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {_COLUMNS}{_INDEX}",
        has=(IS.AUTOINCREMENT, IS.PRIMARY_KEY),
        definitions=NUMBER | {"nullable": "False"},
        runs=False,
    ),
    "virtual": Kind(
        make="CREATE VIRTUAL TABLE {t} USING fts5(id, a, n, m)",
        has=(IS.VIRTUAL_TABLE,),
        definitions=NUMBER,
        runs=False,
    ),
    "view": Kind(
        make="CREATE VIEW {t} AS SELECT 1 AS id, 1 AS a, 1 AS n, 1 AS m",
        has=(IS.VIEW,),
        definitions=_NOCASE,
        runs=False,
    ),
    "temporary": Kind(
        make="SELECT 1",
        first="CREATE TEMPORARY TABLE {t} (id, a, n, m)",
        has=(IS.TEMPORARY,),
        definitions=_NOCASE,
        runs=False,
    ),
}
SETUP = "CREATE TABLE goal (id INTEGER PRIMARY KEY); INSERT INTO goal VALUES (1)"

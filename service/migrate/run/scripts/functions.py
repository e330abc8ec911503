"""The temporary functions of a script: where its first statement failed they are missing, and so every step fails."""

from service.migrate import naming
from service.migrate.dialects.ddl import literal
from service.migrate.state import drift, ledger

_RENEW = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_renew() RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  UPDATE {ledger.LEASE} SET seen_at = clock_timestamp() WHERE token = current_setting('migrator.token', true);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'Another migrator took the lease, so this script stops. Its completed steps stay.';
  END IF;
END $function$
"""
_AUDIT = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_audit(
  _revision text, _phase text, _step text, _outcome text, _began timestamptz, _affected bigint
) RETURNS void LANGUAGE sql AS $function$
  INSERT INTO {ledger.AUDIT}
    (at, who, revision, phase, step, outcome, seconds, attempts, longest_wait_ms, affected, code_version)
  VALUES (clock_timestamp(), left(session_user || ', ' || current_setting('migrator.holder'), 200), _revision, _phase,
    _step, _outcome, extract(epoch FROM clock_timestamp() - _began), 1, 0, _affected, {{version}})
$function$
"""
# Whether the step is still to be run; raises if the script may not run it.
_BEGIN = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_begin(_revision text, _phase text, _position integer) RETURNS boolean
LANGUAGE plpgsql AS $function$
BEGIN
  IF current_setting('migrator.state', true) = 'done' THEN RETURN false; END IF;
  PERFORM pg_temp.migrator_renew();
  IF EXISTS (SELECT FROM {ledger.STEPS} WHERE revision = _revision AND phase = _phase AND position = _position
             AND NOT half) THEN
    RETURN false;
  END IF;
  IF current_setting('migrator.revision', true) IS DISTINCT FROM _revision OR _position > (
       SELECT count(*) FROM {ledger.STEPS} WHERE revision = _revision AND phase = _phase AND position < _position
       AND NOT half) THEN
    RAISE EXCEPTION 'A step before this one failed, so this one is not run. Run the whole script again.';
  END IF;
  RETURN true;
END $function$
"""
_NOTE = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_note(
  _revision text, _phase text, _position integer, _title text, _half boolean, _outcome text, _began timestamptz
) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  DELETE FROM {ledger.STEPS} WHERE revision = _revision AND phase = _phase AND position = _position;
  INSERT INTO {ledger.STEPS} (revision, phase, position, title, half, done_at)
  VALUES (_revision, _phase, _position, _title, _half, clock_timestamp());
  IF NOT _half THEN
    PERFORM pg_temp.migrator_audit(_revision, _phase, _title, _outcome, _began, 0);
  END IF;
END $function$
"""
_SKIP = """
CREATE OR REPLACE FUNCTION pg_temp.migrator_skip(_revision text, _phase text, _position integer, _title text)
RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  IF pg_temp.migrator_begin(_revision, _phase, _position) THEN
    PERFORM pg_temp.migrator_note(_revision, _phase, _position, _title, false, 'nothing to do', clock_timestamp());
  END IF;
END $function$
"""
# Whether a statement outside of a transaction is to be run: its step is recorded as incomplete.
_OPEN = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_open(_revision text, _phase text, _position integer) RETURNS boolean
LANGUAGE sql AS $function$
  SELECT current_setting('migrator.state', true) IS DISTINCT FROM 'done'
    AND current_setting('migrator.revision', true) = _revision
    AND EXISTS (SELECT FROM {ledger.LEASE} WHERE token = current_setting('migrator.token', true))
    AND EXISTS (SELECT FROM {ledger.STEPS} WHERE revision = _revision AND phase = _phase AND position = _position
                AND half)
$function$
"""
# Whether a phase of the revision is to be run.
_READY = """
CREATE OR REPLACE FUNCTION pg_temp.migrator_ready(_revision text) RETURNS boolean LANGUAGE plpgsql AS $function$
BEGIN
  IF current_setting('migrator.state', true) = 'done' THEN RETURN false; END IF;
  PERFORM pg_temp.migrator_renew();
  IF current_setting('migrator.revision', true) IS DISTINCT FROM _revision THEN
    RAISE EXCEPTION 'A statement before this one failed, so this one is not run. Run the whole script again.';
  END IF;
  RETURN true;
END $function$
"""
# For preconditions that a script cannot ask.
_EMPTY = """
CREATE OR REPLACE FUNCTION pg_temp.migrator_empty(_tables text[], _message text) RETURNS void
LANGUAGE plpgsql AS $function$
DECLARE
  _table text;
  _has_rows boolean;
BEGIN
  FOREACH _table IN ARRAY _tables LOOP
    IF to_regclass(quote_ident(_table)) IS NOT NULL THEN
      EXECUTE format('SELECT EXISTS (SELECT FROM %I)', _table) INTO _has_rows;
      IF _has_rows THEN RAISE EXCEPTION USING MESSAGE = replace(_message, '{table}', _table); END IF;
    END IF;
  END LOOP;
END $function$
"""
_HEADS = """
CREATE OR REPLACE FUNCTION pg_temp.migrator_heads() RETURNS text[] LANGUAGE sql AS $function$
  SELECT ARRAY(SELECT version_num::text FROM alembic_version ORDER BY version_num COLLATE "C")
$function$
"""
# Whether the preconditions of a revision are to be checked: no step of it is recorded.
_ENTER = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_enter(_revision text, _before text[]) RETURNS boolean
LANGUAGE plpgsql AS $function$
BEGIN
  IF current_setting('migrator.state', true) = 'done' THEN RETURN false; END IF;
  PERFORM pg_temp.migrator_renew();
  IF pg_temp.migrator_heads() = _before THEN
    PERFORM set_config('migrator.revision', _revision, false);
    RETURN NOT EXISTS (SELECT FROM {ledger.STEPS} WHERE revision = _revision);
  END IF;
  PERFORM set_config('migrator.revision', '', false);
  IF NOT EXISTS (SELECT FROM {ledger.REVISIONS} WHERE revision = _revision) THEN
    RAISE EXCEPTION 'The revision before % is not applied, so % is not begun. Run the whole script again.',
      _revision, _revision;
  END IF;
  RETURN false;
END $function$
"""
# Whether the revision is to be stamped: all of its steps are done.
_STAMP = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_stamp(_revision text, _steps integer, _checksum text) RETURNS boolean
LANGUAGE plpgsql AS $function$
BEGIN
  IF current_setting('migrator.state', true) = 'done' THEN RETURN false; END IF;
  PERFORM pg_temp.migrator_renew();
  IF current_setting('migrator.revision', true) IS DISTINCT FROM _revision THEN
    IF EXISTS (SELECT FROM {ledger.REVISIONS} WHERE revision = _revision) THEN RETURN false; END IF;
    RAISE EXCEPTION 'A step of % failed, so it is not stamped. Run the whole script again.', _revision;
  END IF;
  IF _steps > (SELECT count(*) FROM {ledger.STEPS} WHERE revision = _revision AND phase = 'expand' AND NOT half) THEN
    RAISE EXCEPTION 'A step of % failed, so it is not stamped. Run the whole script again.', _revision;
  END IF;
  DELETE FROM {ledger.REVISIONS} WHERE revision = _revision;
  INSERT INTO {ledger.REVISIONS} (revision, content, changed_at, code_version)
  VALUES (_revision, _checksum, clock_timestamp(), {{version}});
  RETURN true;
END $function$
"""
_CATALOG = """
CREATE OR REPLACE FUNCTION pg_temp.migrator_catalog() RETURNS text[] LANGUAGE sql AS $function$
  SELECT ARRAY(
    SELECT line FROM (SELECT regexp_replace(line, '\\s+', ' ', 'g') AS line FROM ({asked}) AS asked (line)) AS found
    WHERE line !~ {ours} ORDER BY line COLLATE "C")
$function$
"""
# A dump and a restore move the casts of a CHECK: a comparison leaves casts and parentheses out.
_NORMAL = r"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_normal(_lines text[]) RETURNS text[] LANGUAGE sql AS $function$
  SELECT ARRAY(SELECT regexp_replace(regexp_replace(line, '::[a-z ]+(\[\])?', '', 'g'), '[()]', '', 'g')
               FROM unnest(_lines) AS given (line))
$function$
"""
_END = f"""
CREATE OR REPLACE FUNCTION pg_temp.migrator_end(_is_complete boolean) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  IF current_setting('migrator.state', true) IS DISTINCT FROM 'done' THEN
    PERFORM pg_temp.migrator_renew();
    IF NOT _is_complete THEN
      RAISE EXCEPTION 'A step failed, so this script is incomplete. Run the whole script again.';
    END IF;
    DELETE FROM {ledger.CATALOG};
    INSERT INTO {ledger.CATALOG} (id, lines, taken_at)
    VALUES (1, to_jsonb(pg_temp.migrator_catalog())::text, clock_timestamp());
    DELETE FROM {ledger.LEASE} WHERE token = current_setting('migrator.token');
  END IF;
  PERFORM set_config('migrator.token', '', false), set_config('migrator.revision', '', false);
  PERFORM pg_advisory_unlock({{key}});
END $function$
"""


def functions() -> str:
    """The statements that create the functions, for the session of psql alone."""
    values = {"version": literal(naming.current().version), "key": str(naming.lock_key())}
    catalog = _CATALOG.replace("{asked}", drift.POSTGRESQL.strip()).replace("{ours}", literal(drift.OURS_IN_SQL))
    texts = (
        _RENEW,
        _AUDIT,
        _BEGIN,
        _NOTE,
        _SKIP,
        _OPEN,
        _READY,
        _EMPTY,
        _HEADS,
        _ENTER,
        _STAMP,
        catalog,
        _NORMAL,
        _END,
    )
    created = "".join(f"{text.strip()};\n" for text in texts)
    for name, value in values.items():
        created = created.replace("{" + name + "}", value)
    return created.rstrip()

"""The catalog as lines: what a dump and a restore rewrite is no drift."""

from service.migrate.dialects.postgresql.definitions import as_restored

CREATED = "CHECK (((via)::text = ANY ((ARRAY['api'::character varying, 'it''s'::character varying])::text[])))"
RESTORED = "CHECK (((via)::text = ANY (ARRAY[('api'::character varying)::text, ('it''s'::character varying)::text])))"


def test_a_check_that_a_restore_rewrites_is_the_same_line() -> None:
    assert as_restored(CREATED) == RESTORED
    assert as_restored(RESTORED) == RESTORED

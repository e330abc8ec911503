CREATE FUNCTION public.roster_fill_things_kind() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF NEW.kind IS NULL THEN NEW.kind := (SELECT 'plain' FROM (SELECT NEW.*) AS written); END IF; RETURN NEW; END $$;
CREATE FUNCTION public.roster_sync_things_tag() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN IF TG_OP = 'INSERT' THEN IF NOT (NEW.tag IS DISTINCT FROM NULL) AND (NEW.label IS DISTINCT FROM NULL OR NEW.tag IS NULL) THEN NEW.tag := NEW.label; ELSIF NOT (NEW.label IS DISTINCT FROM NULL) THEN NEW.label := NEW.tag; END IF; ELSIF NEW.tag IS DISTINCT FROM OLD.tag THEN IF NOT (NEW.label IS DISTINCT FROM OLD.label) AND NEW.tag IS DISTINCT FROM NEW.label THEN NEW.label := NEW.tag; END IF; ELSIF (NEW.label IS DISTINCT FROM OLD.label OR NEW.tag IS NULL) AND NEW.tag IS DISTINCT FROM NEW.label THEN NEW.tag := NEW.label; END IF; RETURN NEW; END $$;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.migration_audit (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    who character varying(200) NOT NULL,
    revision character varying(32) NOT NULL,
    phase character varying(20) NOT NULL,
    step text NOT NULL,
    outcome character varying(20) NOT NULL,
    seconds double precision NOT NULL,
    attempts integer NOT NULL,
    longest_wait_ms double precision NOT NULL,
    affected bigint NOT NULL,
    code_version character varying(50) NOT NULL
);
CREATE SEQUENCE public.migration_audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.migration_audit_id_seq OWNED BY public.migration_audit.id;
CREATE TABLE public.migration_catalog (
    id integer NOT NULL,
    lines text NOT NULL,
    taken_at timestamp with time zone NOT NULL
);
CREATE TABLE public.migration_fills (
    revision character varying(32) NOT NULL,
    name character varying(200) NOT NULL,
    state character varying(20) NOT NULL,
    cursor text,
    passes integer NOT NULL,
    seen bigint NOT NULL,
    total bigint NOT NULL,
    filled bigint NOT NULL,
    batch integer NOT NULL,
    seconds double precision NOT NULL,
    problem text,
    started_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.migration_lease (
    id integer NOT NULL,
    token character varying(40) NOT NULL,
    holder text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.migration_purged (
    revision character varying(32) NOT NULL,
    name character varying(200) NOT NULL,
    lost bigint NOT NULL,
    purged_at timestamp with time zone NOT NULL
);
CREATE TABLE public.migration_revisions (
    revision character varying(32) NOT NULL,
    content character varying(64) NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    code_version character varying(50) NOT NULL
);
CREATE TABLE public.migration_steps (
    revision character varying(32) NOT NULL,
    phase character varying(20) NOT NULL,
    "position" integer NOT NULL,
    title text NOT NULL,
    half boolean NOT NULL,
    done_at timestamp with time zone NOT NULL
);
CREATE TABLE public.olds (
    id integer NOT NULL
);
CREATE SEQUENCE public.olds_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.olds_id_seq OWNED BY public.olds.id;
CREATE TABLE public.once (
    id integer
);
CREATE TABLE public.owners (
    id integer NOT NULL
);
CREATE SEQUENCE public.owners_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.owners_id_seq OWNED BY public.owners.id;
CREATE TABLE public.parts (
    id integer NOT NULL,
    thing_id integer
);
CREATE SEQUENCE public.parts_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.parts_id_seq OWNED BY public.parts.id;
CREATE TABLE public.things (
    id integer NOT NULL,
    name character varying(50) NOT NULL,
    size integer,
    label character varying(9),
    old_id integer,
    legacy character varying(9) NOT NULL,
    slug character varying(50),
    kind character varying(9) NOT NULL,
    tag character varying(20),
    CONSTRAINT ck_things_size CHECK ((size >= 0))
);
CREATE SEQUENCE public.things_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.things_id_seq OWNED BY public.things.id;
ALTER TABLE ONLY public.migration_audit ALTER COLUMN id SET DEFAULT nextval('public.migration_audit_id_seq'::regclass);
ALTER TABLE ONLY public.olds ALTER COLUMN id SET DEFAULT nextval('public.olds_id_seq'::regclass);
ALTER TABLE ONLY public.owners ALTER COLUMN id SET DEFAULT nextval('public.owners_id_seq'::regclass);
ALTER TABLE ONLY public.parts ALTER COLUMN id SET DEFAULT nextval('public.parts_id_seq'::regclass);
ALTER TABLE ONLY public.things ALTER COLUMN id SET DEFAULT nextval('public.things_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0002_all');
INSERT INTO public.migration_audit VALUES (1, '2026-11-28 08:26:05.536629+00', 'deploy@host, process 1511', '0001_base', 'all', 'A test''s own, in safe steps.', 'done', 0.090631, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (2, '2026-11-28 08:26:08.151542+00', 'deploy@host, process 2334', '0002_all', 'expand', 'bring the table parts back', 'nothing to do', 0.010523, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (3, '2026-11-28 08:26:08.158703+00', 'deploy@host, process 2334', '0002_all', 'expand', 'create the table parts', 'done', 0.00486, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (4, '2026-11-28 08:26:08.173939+00', 'deploy@host, process 2334', '0002_all', 'expand', 'hold new rows of parts to fk_parts_thing_id_things', 'done', 0.012588, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (5, '2026-11-28 08:26:08.180127+00', 'deploy@host, process 2334', '0002_all', 'expand', 'hold all rows of parts to fk_parts_thing_id_things', 'done', 0.002459, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (6, '2026-11-28 08:26:08.189812+00', 'deploy@host, process 2334', '0002_all', 'expand', 'add the column things.slug', 'done', 0.002615, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (7, '2026-11-28 08:26:08.205721+00', 'deploy@host, process 2334', '0002_all', 'expand', 'bring things.kind back', 'nothing to do', 0.006655, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (8, '2026-11-28 08:26:08.328143+00', 'deploy@host, process 2334', '0002_all', 'expand', 'add the column things.kind', 'done', 0.109859, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (9, '2026-11-28 08:26:08.365816+00', 'deploy@host, process 2334', '0002_all', 'expand', 'hold new rows of things to ck_things_size', 'done', 0.018395, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (10, '2026-11-28 08:26:08.391795+00', 'deploy@host, process 2334', '0002_all', 'expand', 'hold all rows of things to ck_things_size', 'done', 0.020299, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (11, '2026-11-28 08:26:08.450852+00', 'deploy@host, process 2334', '0002_all', 'expand', 'build the index ix_things_name of things', 'done', 0.047585, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (12, '2026-11-28 08:26:08.499137+00', 'deploy@host, process 2334', '0002_all', 'expand', 'look at what things holds, for ix_things_name', 'done', 0.041086, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (13, '2026-11-28 08:26:08.531095+00', 'deploy@host, process 2334', '0002_all', 'expand', 'create the trigger roster_fill_things_kind of things', 'done', 0.016611, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (14, '2026-11-28 08:26:08.572463+00', 'deploy@host, process 2334', '0002_all', 'expand', 'note it once', 'done', 0.020095, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (15, '2026-11-28 08:26:08.614652+00', 'deploy@host, process 2334', '0002_all', 'expand', 'build the index ix_things_size of things', 'done', 0.034647, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (16, '2026-11-28 08:26:08.655914+00', 'deploy@host, process 2334', '0002_all', 'expand', 'look at what things holds, for ix_things_size', 'done', 0.025016, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (17, '2026-11-28 08:26:08.701762+00', 'deploy@host, process 2334', '0002_all', 'expand', 'add the column things.tag', 'done', 0.015336, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (18, '2026-11-28 08:26:08.731841+00', 'deploy@host, process 2334', '0002_all', 'expand', 'create the trigger roster_sync_things_tag of things', 'done', 0.020072, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (19, '2026-11-28 08:26:08.768237+00', 'deploy@host, process 2334', '0002_all', 'expand', 'hold new rows of things to fk_things_old_id_owners', 'done', 0.017946, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (20, '2026-11-28 08:26:08.808966+00', 'deploy@host, process 2334', '0002_all', 'expand', 'hold all rows of things to fk_things_old_id_owners', 'done', 0.022298, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (21, '2026-11-28 08:26:12.280076+00', 'deploy@host, process 2552', '0002_all', 'backfill', 'fill things.slug', 'done', 0.197964, 1, 0, 3, '0.1.0');
INSERT INTO public.migration_audit VALUES (22, '2026-11-28 08:26:12.45928+00', 'deploy@host, process 2552', '0002_all', 'backfill', 'fill things.kind', 'done', 0.152385, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (23, '2026-11-28 08:26:12.536066+00', 'deploy@host, process 2552', '0002_all', 'backfill', 'fill things.tag', 'done', 0.057145, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (24, '2026-11-28 08:26:12.550752+00', 'deploy@host, process 2552', '0002_all', 'settle', 'check that new rows have things.kind', 'done', 0.006494, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (25, '2026-11-28 08:26:12.555964+00', 'deploy@host, process 2552', '0002_all', 'settle', 'check that all rows have things.kind', 'done', 0.002572, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (26, '2026-11-28 08:26:12.562144+00', 'deploy@host, process 2552', '0002_all', 'settle', 'let things.kind be NULL no more', 'done', 0.003782, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (27, '2026-11-28 08:26:18.009747+00', 'deploy@host, process 2667', '0002_all', 'contract', 'drop the index ix_things_legacy of things', 'done', 0.029073, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_catalog VALUES (1, '["column olds.id integer not null default nextval(''olds_id_seq''::regclass)", "column once.id integer ", "column owners.id integer not null default nextval(''owners_id_seq''::regclass)", "column parts.id integer not null default nextval(''parts_id_seq''::regclass)", "column parts.thing_id integer ", "column things.id integer not null default nextval(''things_id_seq''::regclass)", "column things.kind character varying(9) not null collate default", "column things.label character varying(9) collate default", "column things.legacy character varying(9) not null collate default", "column things.name character varying(50) not null collate default", "column things.old_id integer ", "column things.size integer ", "column things.slug character varying(50) collate default", "column things.tag character varying(20) collate default", "constraint olds olds_id_not_null NOT NULL idtrue", "constraint olds pk_olds PRIMARY KEY (id)true", "constraint owners owners_id_not_null NOT NULL idtrue", "constraint owners pk_owners PRIMARY KEY (id)true", "constraint parts fk_parts_thing_id_things FOREIGN KEY (thing_id) REFERENCES things(id)true", "constraint parts parts_id_not_null NOT NULL idtrue", "constraint parts pk_parts PRIMARY KEY (id)true", "constraint things ck_things_size CHECK ((size >= 0))true", "constraint things fk_things_old_id_owners FOREIGN KEY (old_id) REFERENCES owners(id)true", "constraint things pk_things PRIMARY KEY (id)true", "constraint things things_id_not_null NOT NULL idtrue", "constraint things things_kind_not_null NOT NULL kindtrue", "constraint things things_legacy_not_null NOT NULL legacytrue", "constraint things things_name_not_null NOT NULL nametrue", "function CREATE OR REPLACE FUNCTION public.roster_fill_things_kind() RETURNS trigger LANGUAGE plpgsql AS $function$ BEGIN IF NEW.kind IS NULL THEN NEW.kind := (SELECT ''plain'' FROM (SELECT NEW.*) AS written); END IF; RETURN NEW; END $function$ ", "function CREATE OR REPLACE FUNCTION public.roster_sync_things_tag() RETURNS trigger LANGUAGE plpgsql AS $function$ BEGIN IF TG_OP = ''INSERT'' THEN IF NOT (NEW.tag IS DISTINCT FROM NULL) AND (NEW.label IS DISTINCT FROM NULL OR NEW.tag IS NULL) THEN NEW.tag := NEW.label; ELSIF NOT (NEW.label IS DISTINCT FROM NULL) THEN NEW.label := NEW.tag; END IF; ELSIF NEW.tag IS DISTINCT FROM OLD.tag THEN IF NOT (NEW.label IS DISTINCT FROM OLD.label) AND NEW.tag IS DISTINCT FROM NEW.label THEN NEW.label := NEW.tag; END IF; ELSIF (NEW.label IS DISTINCT FROM OLD.label OR NEW.tag IS NULL) AND NEW.tag IS DISTINCT FROM NEW.label THEN NEW.tag := NEW.label; END IF; RETURN NEW; END $function$ ", "index CREATE INDEX ix_things_legacy ON public.things USING btree (legacy)true", "index CREATE INDEX ix_things_name ON public.things USING btree (name)true", "index CREATE UNIQUE INDEX ix_things_size ON public.things USING btree (size)true", "index CREATE UNIQUE INDEX pk_olds ON public.olds USING btree (id)true", "index CREATE UNIQUE INDEX pk_owners ON public.owners USING btree (id)true", "index CREATE UNIQUE INDEX pk_parts ON public.parts USING btree (id)true", "index CREATE UNIQUE INDEX pk_things ON public.things USING btree (id)true", "sequence olds_id_seq integer of olds", "sequence owners_id_seq integer of owners", "sequence parts_id_seq integer of parts", "sequence things_id_seq integer of things", "trigger CREATE TRIGGER roster_fill_things_kind BEFORE INSERT OR UPDATE ON public.things FOR EACH ROW EXECUTE FUNCTION roster_fill_things_kind()O", "trigger CREATE TRIGGER roster_sync_things_tag BEFORE INSERT OR UPDATE ON public.things FOR EACH ROW EXECUTE FUNCTION roster_sync_things_tag()O"]', '2026-11-28 08:26:12.566133+00');
INSERT INTO public.migration_fills VALUES ('0002_all', 'things.slug', 'done', '["3"]', 1, 3, 3, 3, 338, 0.17024256600052468, NULL, '2026-11-28 08:26:12.054197+00', '2026-11-28 08:26:12.264316+00');
INSERT INTO public.migration_fills VALUES ('0002_all', 'things.kind', 'done', '["3"]', 1, 3, 3, 0, 395, 0.13195455500044773, NULL, '2026-11-28 08:26:12.297623+00', '2026-11-28 08:26:12.457983+00');
INSERT INTO public.migration_fills VALUES ('0002_all', 'things.tag', 'done', '["3"]', 1, 3, 3, 0, 1000, 0.043838808000145946, NULL, '2026-11-28 08:26:12.476797+00', '2026-11-28 08:26:12.535026+00');
INSERT INTO public.migration_lease VALUES (1, 'e8e598e7b03eaea2fd87a0878343f84e', 'deploy@host, process 2667', '2026-11-28 08:26:17.814126+00', '2026-11-28 08:26:18.00601+00');
INSERT INTO public.migration_revisions VALUES ('0001_base', 'd6c134283aaf9ff42cb4b149428457e0a23272e91e142b2afaebf7f77925e474', '2026-11-28 08:26:05.569602+00', '0.1.0');
INSERT INTO public.migration_revisions VALUES ('0002_all', '4191a31b73b54643bb8b742239406ec3cf4453063a414a7a70d2b5bf03a7daee', '2026-11-28 08:26:08.827369+00', '0.1.0');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 0, 'bring the table things back', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 1, 'create the table things', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 2, 'build the index ix_things_legacy of things', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 3, 'look at what things holds, for ix_things_legacy', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 4, 'bring the table olds back', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 5, 'create the table olds', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 6, 'bring the table owners back', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 7, 'create the table owners', false, '2026-11-28 08:26:05.533672+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 0, 'bring the table parts back', false, '2026-11-28 08:26:08.146483+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 1, 'create the table parts', false, '2026-11-28 08:26:08.155008+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 2, 'hold new rows of parts to fk_parts_thing_id_things', false, '2026-11-28 08:26:08.171744+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 3, 'hold all rows of parts to fk_parts_thing_id_things', false, '2026-11-28 08:26:08.178773+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 4, 'add the column things.slug', false, '2026-11-28 08:26:08.188597+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 5, 'bring things.kind back', false, '2026-11-28 08:26:08.202893+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 6, 'add the column things.kind', false, '2026-11-28 08:26:08.320235+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 7, 'hold new rows of things to ck_things_size', false, '2026-11-28 08:26:08.357856+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 8, 'hold all rows of things to ck_things_size', false, '2026-11-28 08:26:08.389966+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 9, 'build the index ix_things_name of things', false, '2026-11-28 08:26:08.440569+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 10, 'look at what things holds, for ix_things_name', false, '2026-11-28 08:26:08.496169+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 11, 'create the trigger roster_fill_things_kind of things', false, '2026-11-28 08:26:08.511388+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 12, 'note it once', false, '2026-11-28 08:26:08.557657+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 13, 'build the index ix_things_size of things', false, '2026-11-28 08:26:08.609633+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 14, 'look at what things holds, for ix_things_size', false, '2026-11-28 08:26:08.640094+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 15, 'add the column things.tag', false, '2026-11-28 08:26:08.695054+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 16, 'create the trigger roster_sync_things_tag of things', false, '2026-11-28 08:26:08.722796+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 17, 'hold new rows of things to fk_things_old_id_owners', false, '2026-11-28 08:26:08.7507+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 18, 'hold all rows of things to fk_things_old_id_owners', false, '2026-11-28 08:26:08.798005+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'settle', 0, 'check that new rows have things.kind', false, '2026-11-28 08:26:12.545935+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'settle', 1, 'check that all rows have things.kind', false, '2026-11-28 08:26:12.554837+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'settle', 2, 'let things.kind be NULL no more', false, '2026-11-28 08:26:12.560416+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'contract', 0, 'drop the index ix_things_legacy of things', false, '2026-11-28 08:26:18.004889+00');
INSERT INTO public.olds VALUES (1);
INSERT INTO public.olds VALUES (2);
INSERT INTO public.owners VALUES (1);
INSERT INTO public.owners VALUES (2);
INSERT INTO public.things VALUES (1, 'One', 1, 'a', 1, 'x', 'one', 'plain', 'a');
INSERT INTO public.things VALUES (2, 'Two', 2, NULL, NULL, 'y', 'two', 'plain', NULL);
INSERT INTO public.things VALUES (3, 'Three', 3, 'c', 2, 'z', 'three', 'plain', 'c');
SELECT pg_catalog.setval('public.migration_audit_id_seq', 27, true);
SELECT pg_catalog.setval('public.olds_id_seq', 1, false);
SELECT pg_catalog.setval('public.owners_id_seq', 1, false);
SELECT pg_catalog.setval('public.parts_id_seq', 1, false);
SELECT pg_catalog.setval('public.things_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.migration_audit
    ADD CONSTRAINT migration_audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.migration_catalog
    ADD CONSTRAINT migration_catalog_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.migration_fills
    ADD CONSTRAINT migration_fills_pkey PRIMARY KEY (revision, name);
ALTER TABLE ONLY public.migration_lease
    ADD CONSTRAINT migration_lease_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.migration_purged
    ADD CONSTRAINT migration_purged_pkey PRIMARY KEY (revision, name);
ALTER TABLE ONLY public.migration_revisions
    ADD CONSTRAINT migration_revisions_pkey PRIMARY KEY (revision);
ALTER TABLE ONLY public.migration_steps
    ADD CONSTRAINT migration_steps_pkey PRIMARY KEY (revision, phase, "position");
ALTER TABLE ONLY public.olds
    ADD CONSTRAINT pk_olds PRIMARY KEY (id);
ALTER TABLE ONLY public.owners
    ADD CONSTRAINT pk_owners PRIMARY KEY (id);
ALTER TABLE ONLY public.parts
    ADD CONSTRAINT pk_parts PRIMARY KEY (id);
ALTER TABLE ONLY public.things
    ADD CONSTRAINT pk_things PRIMARY KEY (id);
CREATE INDEX ix_things_name ON public.things USING btree (name);
CREATE UNIQUE INDEX ix_things_size ON public.things USING btree (size);
CREATE TRIGGER roster_fill_things_kind BEFORE INSERT OR UPDATE ON public.things FOR EACH ROW EXECUTE FUNCTION public.roster_fill_things_kind();
CREATE TRIGGER roster_sync_things_tag BEFORE INSERT OR UPDATE ON public.things FOR EACH ROW EXECUTE FUNCTION public.roster_sync_things_tag();
ALTER TABLE ONLY public.parts
    ADD CONSTRAINT fk_parts_thing_id_things FOREIGN KEY (thing_id) REFERENCES public.things(id);
ALTER TABLE ONLY public.things
    ADD CONSTRAINT fk_things_old_id_owners FOREIGN KEY (old_id) REFERENCES public.owners(id);

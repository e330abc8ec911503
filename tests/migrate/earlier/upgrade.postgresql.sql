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
    kind character varying(9)
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
INSERT INTO public.alembic_version VALUES ('0001_base');
INSERT INTO public.migration_audit VALUES (1, '2026-11-28 08:26:00.982598+00', 'deploy@host, process 1511', '0001_base', 'all', 'A test''s own, in safe steps.', 'done', 0.061342, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (2, '2026-11-28 08:26:03.994269+00', 'deploy@host, process 2248', '0002_all', 'expand', 'bring the table parts back', 'nothing to do', 0.007998, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (3, '2026-11-28 08:26:04.022147+00', 'deploy@host, process 2248', '0002_all', 'expand', 'create the table parts', 'done', 0.015773, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (4, '2026-11-28 08:26:04.059316+00', 'deploy@host, process 2248', '0002_all', 'expand', 'hold new rows of parts to fk_parts_thing_id_things', 'done', 0.018551, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (5, '2026-11-28 08:26:04.089985+00', 'deploy@host, process 2248', '0002_all', 'expand', 'hold all rows of parts to fk_parts_thing_id_things', 'done', 0.015857, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (6, '2026-11-28 08:26:04.122137+00', 'deploy@host, process 2248', '0002_all', 'expand', 'add the column things.slug', 'done', 0.012485, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (7, '2026-11-28 08:26:04.135156+00', 'deploy@host, process 2248', '0002_all', 'expand', 'bring things.kind back', 'nothing to do', 0.004871, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_audit VALUES (8, '2026-11-28 08:26:04.149972+00', 'deploy@host, process 2248', '0002_all', 'expand', 'add the column things.kind', 'done', 0.008004, 1, 0, 0, '0.1.0');
INSERT INTO public.migration_catalog VALUES (1, '["column olds.id integer not null default nextval(''olds_id_seq''::regclass)", "column owners.id integer not null default nextval(''owners_id_seq''::regclass)", "column things.id integer not null default nextval(''things_id_seq''::regclass)", "column things.label character varying(9) collate default", "column things.legacy character varying(9) not null collate default", "column things.name character varying(50) not null collate default", "column things.old_id integer ", "column things.size integer ", "constraint olds olds_id_not_null NOT NULL idtrue", "constraint olds pk_olds PRIMARY KEY (id)true", "constraint owners owners_id_not_null NOT NULL idtrue", "constraint owners pk_owners PRIMARY KEY (id)true", "constraint things pk_things PRIMARY KEY (id)true", "constraint things things_id_not_null NOT NULL idtrue", "constraint things things_legacy_not_null NOT NULL legacytrue", "constraint things things_name_not_null NOT NULL nametrue", "index CREATE INDEX ix_things_legacy ON public.things USING btree (legacy)true", "index CREATE UNIQUE INDEX pk_olds ON public.olds USING btree (id)true", "index CREATE UNIQUE INDEX pk_owners ON public.owners USING btree (id)true", "index CREATE UNIQUE INDEX pk_things ON public.things USING btree (id)true", "sequence olds_id_seq integer of olds", "sequence owners_id_seq integer of owners", "sequence things_id_seq integer of things"]', '2026-11-28 08:26:01.044339+00');
INSERT INTO public.migration_lease VALUES (1, 'ec9fd85276d778094cae4e2c4437dc69', 'deploy@host, process 2248', '2026-11-28 08:26:03.803944+00', '2026-11-28 08:26:04.148371+00');
INSERT INTO public.migration_revisions VALUES ('0001_base', 'd6c134283aaf9ff42cb4b149428457e0a23272e91e142b2afaebf7f77925e474', '2026-11-28 08:26:01.007297+00', '0.1.0');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 0, 'bring the table things back', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 1, 'create the table things', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 2, 'build the index ix_things_legacy of things', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 3, 'look at what things holds, for ix_things_legacy', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 4, 'bring the table olds back', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 5, 'create the table olds', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 6, 'bring the table owners back', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0001_base', 'expand', 7, 'create the table owners', false, '2026-11-28 08:26:00.95817+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 0, 'bring the table parts back', false, '2026-11-28 08:26:03.986635+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 1, 'create the table parts', false, '2026-11-28 08:26:04.012575+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 2, 'hold new rows of parts to fk_parts_thing_id_things', false, '2026-11-28 08:26:04.04859+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 3, 'hold all rows of parts to fk_parts_thing_id_things', false, '2026-11-28 08:26:04.080804+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 4, 'add the column things.slug', false, '2026-11-28 08:26:04.113301+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 5, 'bring things.kind back', false, '2026-11-28 08:26:04.13153+00');
INSERT INTO public.migration_steps VALUES ('0002_all', 'expand', 6, 'add the column things.kind', false, '2026-11-28 08:26:04.145556+00');
INSERT INTO public.olds VALUES (1);
INSERT INTO public.olds VALUES (2);
INSERT INTO public.owners VALUES (1);
INSERT INTO public.owners VALUES (2);
INSERT INTO public.things VALUES (1, 'One', 1, 'a', 1, 'x', NULL, NULL);
INSERT INTO public.things VALUES (2, 'Two', 2, NULL, NULL, 'y', NULL, NULL);
INSERT INTO public.things VALUES (3, 'Three', 3, 'c', 2, 'z', NULL, NULL);
SELECT pg_catalog.setval('public.migration_audit_id_seq', 8, true);
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
CREATE INDEX ix_things_legacy ON public.things USING btree (legacy);
ALTER TABLE ONLY public.parts
    ADD CONSTRAINT fk_parts_thing_id_things FOREIGN KEY (thing_id) REFERENCES public.things(id);

BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001_base');
CREATE TABLE migration_audit (
	id INTEGER NOT NULL,
	at DATETIME NOT NULL,
	who VARCHAR(200) NOT NULL,
	revision VARCHAR(32) NOT NULL,
	phase VARCHAR(20) NOT NULL,
	step TEXT NOT NULL,
	outcome VARCHAR(20) NOT NULL,
	seconds FLOAT NOT NULL,
	attempts INTEGER NOT NULL,
	longest_wait_ms FLOAT NOT NULL,
	affected INTEGER NOT NULL,
	code_version VARCHAR(50) NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "migration_audit" VALUES(1,'2026-11-28 08:25:37.437974','deploy@host, process 1511','0001_base','all','A test''s own, in safe steps.','done',0.004875,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(2,'2026-11-28 08:25:40.530725','deploy@host, process 1692','0002_all','expand','bring the table parts back','nothing to do',0.021792,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(3,'2026-11-28 08:25:40.572391','deploy@host, process 1692','0002_all','expand','create the table parts','done',0.017351,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(4,'2026-11-28 08:25:40.605300','deploy@host, process 1692','0002_all','expand','add fk_parts_thing_id_things to parts','done',0.014439,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(5,'2026-11-28 08:25:40.620342','deploy@host, process 1692','0002_all','expand','add the column things.slug','done',0.005292,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(6,'2026-11-28 08:25:40.626556','deploy@host, process 1692','0002_all','expand','bring things.kind back','nothing to do',0.003895,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(7,'2026-11-28 08:25:40.632579','deploy@host, process 1692','0002_all','expand','add the column things.kind','done',0.004065,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(8,'2026-11-28 08:25:40.643586','deploy@host, process 1692','0002_all','expand','add ck_things_size to things','done',0.009728,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(9,'2026-11-28 08:25:40.647680','deploy@host, process 1692','0002_all','expand','build the index ix_things_name of things','done',0.002697,1,0.0,0,'0.1.0');
CREATE TABLE migration_catalog (
	id INTEGER NOT NULL,
	lines TEXT NOT NULL,
	taken_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "migration_catalog" VALUES(1,'["in olds: CONSTRAINT pk_olds PRIMARY KEY ( id )", "in olds: id INTEGER NOT NULL", "in owners: CONSTRAINT pk_owners PRIMARY KEY ( id )", "in owners: id INTEGER NOT NULL", "in things: CONSTRAINT pk_things PRIMARY KEY ( id )", "in things: id INTEGER NOT NULL", "in things: label VARCHAR ( 9 )", "in things: legacy VARCHAR ( 9 ) NOT NULL", "in things: name VARCHAR ( 50 ) NOT NULL", "in things: old_id INTEGER", "in things: size INTEGER", "index ix_things_legacy of things: CREATE INDEX ix_things_legacy ON things ( legacy )", "table olds )", "table owners )", "table things )"]','2026-11-28 08:25:37.449339');
CREATE TABLE migration_fills (
	revision VARCHAR(32) NOT NULL,
	name VARCHAR(200) NOT NULL,
	state VARCHAR(20) NOT NULL,
	cursor TEXT,
	passes INTEGER NOT NULL,
	seen INTEGER NOT NULL,
	total INTEGER NOT NULL,
	filled INTEGER NOT NULL,
	batch INTEGER NOT NULL,
	seconds FLOAT NOT NULL,
	problem TEXT,
	started_at DATETIME NOT NULL,
	changed_at DATETIME NOT NULL,
	PRIMARY KEY (revision, name)
);
CREATE TABLE migration_lease (
	id INTEGER NOT NULL,
	token VARCHAR(40) NOT NULL,
	holder TEXT NOT NULL,
	taken_at DATETIME NOT NULL,
	seen_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "migration_lease" VALUES(1,'15bdec98faa095cc9ac2dd6afc13d8e2','deploy@host, process 1692','2026-11-28 08:25:40.375739','2026-11-28 08:25:40.647340');
CREATE TABLE migration_purged (
	revision VARCHAR(32) NOT NULL,
	name VARCHAR(200) NOT NULL,
	lost INTEGER NOT NULL,
	purged_at DATETIME NOT NULL,
	PRIMARY KEY (revision, name)
);
CREATE TABLE migration_revisions (
	revision VARCHAR(32) NOT NULL,
	content VARCHAR(64) NOT NULL,
	changed_at DATETIME NOT NULL,
	code_version VARCHAR(50) NOT NULL,
	PRIMARY KEY (revision)
);
INSERT INTO "migration_revisions" VALUES('0001_base','d6c134283aaf9ff42cb4b149428457e0a23272e91e142b2afaebf7f77925e474','2026-11-28 08:25:37.441344','0.1.0');
CREATE TABLE migration_steps (
	revision VARCHAR(32) NOT NULL,
	phase VARCHAR(20) NOT NULL,
	position INTEGER NOT NULL,
	title TEXT NOT NULL,
	half BOOLEAN NOT NULL,
	done_at DATETIME NOT NULL,
	PRIMARY KEY (revision, phase, position)
);
INSERT INTO "migration_steps" VALUES('0001_base','expand',0,'bring the table things back',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0001_base','expand',1,'create the table things',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0001_base','expand',2,'build the index ix_things_legacy of things',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0001_base','expand',3,'bring the table olds back',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0001_base','expand',4,'create the table olds',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0001_base','expand',5,'bring the table owners back',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0001_base','expand',6,'create the table owners',0,'2026-11-28 08:25:37.435909');
INSERT INTO "migration_steps" VALUES('0002_all','expand',0,'bring the table parts back',0,'2026-11-28 08:25:40.522690');
INSERT INTO "migration_steps" VALUES('0002_all','expand',1,'create the table parts',0,'2026-11-28 08:25:40.558916');
INSERT INTO "migration_steps" VALUES('0002_all','expand',2,'add fk_parts_thing_id_things to parts',0,'2026-11-28 08:25:40.592448');
INSERT INTO "migration_steps" VALUES('0002_all','expand',3,'add the column things.slug',0,'2026-11-28 08:25:40.617151');
INSERT INTO "migration_steps" VALUES('0002_all','expand',4,'bring things.kind back',0,'2026-11-28 08:25:40.624114');
INSERT INTO "migration_steps" VALUES('0002_all','expand',5,'add the column things.kind',0,'2026-11-28 08:25:40.631152');
INSERT INTO "migration_steps" VALUES('0002_all','expand',6,'add ck_things_size to things',0,'2026-11-28 08:25:40.635086');
INSERT INTO "migration_steps" VALUES('0002_all','expand',7,'build the index ix_things_name of things',0,'2026-11-28 08:25:40.645678');
CREATE TABLE olds (
	id INTEGER NOT NULL,
	CONSTRAINT pk_olds PRIMARY KEY (id)
);
INSERT INTO "olds" VALUES(1);
INSERT INTO "olds" VALUES(2);
CREATE TABLE owners (
	id INTEGER NOT NULL,
	CONSTRAINT pk_owners PRIMARY KEY (id)
);
INSERT INTO "owners" VALUES(1);
INSERT INTO "owners" VALUES(2);
CREATE TABLE parts (
	id INTEGER NOT NULL,
	thing_id INTEGER,
	CONSTRAINT pk_parts PRIMARY KEY (id),
	CONSTRAINT fk_parts_thing_id_things FOREIGN KEY(thing_id) REFERENCES things (id)
);
CREATE TABLE things (
	id INTEGER NOT NULL,
	name VARCHAR(50) NOT NULL,
	size INTEGER,
	label VARCHAR(9),
	old_id INTEGER,
	legacy VARCHAR(9) NOT NULL, slug VARCHAR(50), kind VARCHAR(9),
	CONSTRAINT pk_things PRIMARY KEY (id),
	CONSTRAINT ck_things_size CHECK (size >= 0)
);
INSERT INTO "things" VALUES(1,'One',1,'a',1,'x',NULL,NULL);
INSERT INTO "things" VALUES(2,'Two',2,NULL,NULL,'y',NULL,NULL);
INSERT INTO "things" VALUES(3,'Three',3,'c',2,'z',NULL,NULL);
CREATE INDEX ix_things_legacy ON things (legacy);
CREATE INDEX ix_things_name ON things (name);
COMMIT;

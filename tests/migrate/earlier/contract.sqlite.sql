BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002_all');
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
INSERT INTO "migration_audit" VALUES(1,'2026-11-28 08:25:41.647056','deploy@host, process 1511','0001_base','all','A test''s own, in safe steps.','done',0.004407,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(2,'2026-11-28 08:25:45.331775','deploy@host, process 1747','0002_all','expand','bring the table parts back','nothing to do',0.003185,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(3,'2026-11-28 08:25:45.340377','deploy@host, process 1747','0002_all','expand','create the table parts','done',0.003974,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(4,'2026-11-28 08:25:45.354547','deploy@host, process 1747','0002_all','expand','add fk_parts_thing_id_things to parts','done',0.007971,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(5,'2026-11-28 08:25:45.361914','deploy@host, process 1747','0002_all','expand','add the column things.slug','done',0.004332,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(6,'2026-11-28 08:25:45.367296','deploy@host, process 1747','0002_all','expand','bring things.kind back','nothing to do',0.002957,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(7,'2026-11-28 08:25:45.372672','deploy@host, process 1747','0002_all','expand','add the column things.kind','done',0.003481,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(8,'2026-11-28 08:25:45.386773','deploy@host, process 1747','0002_all','expand','add ck_things_size to things','done',0.00962,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(9,'2026-11-28 08:25:45.394980','deploy@host, process 1747','0002_all','expand','build the index ix_things_name of things','done',0.002386,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(10,'2026-11-28 08:25:45.407502','deploy@host, process 1747','0002_all','expand','create the trigger roster_fill_things_kind of things','done',0.008459,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(11,'2026-11-28 08:25:45.411926','deploy@host, process 1747','0002_all','expand','note it once','done',0.002281,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(12,'2026-11-28 08:25:45.416184','deploy@host, process 1747','0002_all','expand','build the index ix_things_size of things','done',0.00292,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(13,'2026-11-28 08:25:45.420451','deploy@host, process 1747','0002_all','expand','add the column things.tag','done',0.003017,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(14,'2026-11-28 08:25:45.425049','deploy@host, process 1747','0002_all','expand','create the trigger roster_sync_things_tag of things','done',0.002392,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(15,'2026-11-28 08:25:45.428320','deploy@host, process 1747','0002_all','expand','fill things.tag','done',0.00184,1,0.0,2,'0.1.0');
INSERT INTO "migration_audit" VALUES(16,'2026-11-28 08:25:45.444942','deploy@host, process 1747','0002_all','expand','add fk_things_old_id_owners to things','done',0.014998,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(17,'2026-11-28 08:25:49.001825','deploy@host, process 1787','0002_all','backfill','fill things.slug','done',0.015314,1,0.0,3,'0.1.0');
INSERT INTO "migration_audit" VALUES(18,'2026-11-28 08:25:49.015730','deploy@host, process 1787','0002_all','backfill','fill things.kind','done',0.00745,1,0.0,3,'0.1.0');
INSERT INTO "migration_audit" VALUES(19,'2026-11-28 08:25:51.817904','deploy@host, process 1828','0002_all','contract','drop the index ix_things_legacy of things','done',0.005727,1,0.0,0,'0.1.0');
INSERT INTO "migration_audit" VALUES(20,'2026-11-28 08:25:51.838178','deploy@host, process 1828','0002_all','contract','let things.slug be NULL no more; let things.kind be NULL no more','done',0.016517,1,0.0,0,'0.1.0');
CREATE TABLE migration_catalog (
	id INTEGER NOT NULL,
	lines TEXT NOT NULL,
	taken_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "migration_catalog" VALUES(1,'["in olds: CONSTRAINT pk_olds PRIMARY KEY ( id )", "in olds: id INTEGER NOT NULL", "in once: id integer", "in owners: CONSTRAINT pk_owners PRIMARY KEY ( id )", "in owners: id INTEGER NOT NULL", "in parts: CONSTRAINT fk_parts_thing_id_things FOREIGN KEY ( thing_id ) REFERENCES things ( id )", "in parts: CONSTRAINT pk_parts PRIMARY KEY ( id )", "in parts: id INTEGER NOT NULL", "in parts: thing_id INTEGER", "in things: CONSTRAINT ck_things_size CHECK ( size > = 0 )", "in things: CONSTRAINT fk_things_old_id_owners FOREIGN KEY ( old_id ) REFERENCES owners ( id )", "in things: CONSTRAINT pk_things PRIMARY KEY ( id )", "in things: id INTEGER NOT NULL", "in things: kind VARCHAR ( 9 )", "in things: label VARCHAR ( 9 )", "in things: legacy VARCHAR ( 9 ) NOT NULL", "in things: name VARCHAR ( 50 ) NOT NULL", "in things: old_id INTEGER", "in things: size INTEGER", "in things: slug VARCHAR ( 50 )", "in things: tag VARCHAR ( 20 )", "index ix_things_legacy of things: CREATE INDEX ix_things_legacy ON things ( legacy )", "index ix_things_name of things: CREATE INDEX ix_things_name ON things ( name )", "index ix_things_size of things: CREATE UNIQUE INDEX ix_things_size ON things ( size )", "table olds )", "table once )", "table owners )", "table parts )", "table things )", "trigger roster_fill_things_kind_1 of things: CREATE TRIGGER roster_fill_things_kind_1 AFTER INSERT ON things WHEN NEW . kind IS NULL BEGIN UPDATE things SET kind = ''plain'' WHERE id = NEW . id ; END", "trigger roster_fill_things_kind_2 of things: CREATE TRIGGER roster_fill_things_kind_2 AFTER UPDATE OF kind ON things WHEN NEW . kind IS NULL BEGIN UPDATE things SET kind = ''plain'' WHERE id = NEW . id ; END", "trigger roster_sync_things_tag_1 of things: CREATE TRIGGER roster_sync_things_tag_1 AFTER INSERT ON things WHEN NEW . tag IS NOT NEW . label BEGIN UPDATE things SET tag = CASE WHEN NOT ( NEW . tag IS NOT NULL ) AND ( NEW . label IS NOT NULL OR NEW . tag IS NULL ) THEN NEW . label ELSE NEW . tag END , label = CASE WHEN NOT ( NEW . tag IS NOT NULL ) AND ( NEW . label IS NOT NULL OR NEW . tag IS NULL ) OR NEW . label IS NOT NULL THEN NEW . label ELSE NEW . tag END WHERE id = NEW . id ; END", "trigger roster_sync_things_tag_2 of things: CREATE TRIGGER roster_sync_things_tag_2 AFTER UPDATE OF label ON things WHEN NEW . label IS NOT OLD . label AND NEW . tag IS OLD . tag AND NEW . tag IS NOT NEW . label BEGIN UPDATE things SET tag = NEW . label WHERE id = NEW . id ; END", "trigger roster_sync_things_tag_3 of things: CREATE TRIGGER roster_sync_things_tag_3 AFTER UPDATE OF tag ON things WHEN NEW . tag IS NOT OLD . tag AND NEW . label IS OLD . label AND NEW . tag IS NOT NEW . label BEGIN UPDATE things SET label = NEW . tag WHERE id = NEW . id ; END"]','2026-11-28 08:25:49.022382');
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
INSERT INTO "migration_fills" VALUES('0002_all','things.slug','done','[3]',1,3,3,3,1000,1.09745020008631399832e-02,NULL,'2026-11-28 08:25:48.977687','2026-11-28 08:25:48.999779');
INSERT INTO "migration_fills" VALUES('0002_all','things.kind','done','[3]',1,3,3,3,1000,5.07506200028728926554e-03,NULL,'2026-11-28 08:25:49.005629','2026-11-28 08:25:49.014578');
CREATE TABLE migration_lease (
	id INTEGER NOT NULL,
	token VARCHAR(40) NOT NULL,
	holder TEXT NOT NULL,
	taken_at DATETIME NOT NULL,
	seen_at DATETIME NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "migration_lease" VALUES(1,'9db03f7ed6e131c692b2049069d4201c','deploy@host, process 1828','2026-11-28 08:25:51.761027','2026-11-28 08:25:51.837718');
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
INSERT INTO "migration_revisions" VALUES('0001_base','d6c134283aaf9ff42cb4b149428457e0a23272e91e142b2afaebf7f77925e474','2026-11-28 08:25:41.650291','0.1.0');
INSERT INTO "migration_revisions" VALUES('0002_all','4191a31b73b54643bb8b742239406ec3cf4453063a414a7a70d2b5bf03a7daee','2026-11-28 08:25:45.450685','0.1.0');
CREATE TABLE migration_steps (
	revision VARCHAR(32) NOT NULL,
	phase VARCHAR(20) NOT NULL,
	position INTEGER NOT NULL,
	title TEXT NOT NULL,
	half BOOLEAN NOT NULL,
	done_at DATETIME NOT NULL,
	PRIMARY KEY (revision, phase, position)
);
INSERT INTO "migration_steps" VALUES('0001_base','expand',0,'bring the table things back',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0001_base','expand',1,'create the table things',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0001_base','expand',2,'build the index ix_things_legacy of things',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0001_base','expand',3,'bring the table olds back',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0001_base','expand',4,'create the table olds',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0001_base','expand',5,'bring the table owners back',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0001_base','expand',6,'create the table owners',0,'2026-11-28 08:25:41.645119');
INSERT INTO "migration_steps" VALUES('0002_all','expand',0,'bring the table parts back',0,'2026-11-28 08:25:45.329395');
INSERT INTO "migration_steps" VALUES('0002_all','expand',1,'create the table parts',0,'2026-11-28 08:25:45.338364');
INSERT INTO "migration_steps" VALUES('0002_all','expand',2,'add fk_parts_thing_id_things to parts',0,'2026-11-28 08:25:45.346564');
INSERT INTO "migration_steps" VALUES('0002_all','expand',3,'add the column things.slug',0,'2026-11-28 08:25:45.358285');
INSERT INTO "migration_steps" VALUES('0002_all','expand',4,'bring things.kind back',0,'2026-11-28 08:25:45.365144');
INSERT INTO "migration_steps" VALUES('0002_all','expand',5,'add the column things.kind',0,'2026-11-28 08:25:45.369995');
INSERT INTO "migration_steps" VALUES('0002_all','expand',6,'add ck_things_size to things',0,'2026-11-28 08:25:45.377852');
INSERT INTO "migration_steps" VALUES('0002_all','expand',7,'build the index ix_things_name of things',0,'2026-11-28 08:25:45.393048');
INSERT INTO "migration_steps" VALUES('0002_all','expand',8,'create the trigger roster_fill_things_kind of things',0,'2026-11-28 08:25:45.400197');
INSERT INTO "migration_steps" VALUES('0002_all','expand',9,'note it once',0,'2026-11-28 08:25:45.410088');
INSERT INTO "migration_steps" VALUES('0002_all','expand',10,'build the index ix_things_size of things',0,'2026-11-28 08:25:45.414452');
INSERT INTO "migration_steps" VALUES('0002_all','expand',11,'add the column things.tag',0,'2026-11-28 08:25:45.418467');
INSERT INTO "migration_steps" VALUES('0002_all','expand',12,'create the trigger roster_sync_things_tag of things',0,'2026-11-28 08:25:45.423192');
INSERT INTO "migration_steps" VALUES('0002_all','expand',13,'fill things.tag',0,'2026-11-28 08:25:45.426863');
INSERT INTO "migration_steps" VALUES('0002_all','expand',14,'add fk_things_old_id_owners to things',0,'2026-11-28 08:25:45.430333');
INSERT INTO "migration_steps" VALUES('0002_all','contract',0,'drop the index ix_things_legacy of things',0,'2026-11-28 08:25:51.813381');
INSERT INTO "migration_steps" VALUES('0002_all','contract',1,'let things.slug be NULL no more',0,'2026-11-28 08:25:51.822026');
INSERT INTO "migration_steps" VALUES('0002_all','contract',2,'let things.kind be NULL no more',0,'2026-11-28 08:25:51.822026');
CREATE TABLE olds (
	id INTEGER NOT NULL,
	CONSTRAINT pk_olds PRIMARY KEY (id)
);
INSERT INTO "olds" VALUES(1);
INSERT INTO "olds" VALUES(2);
CREATE TABLE once (id integer);
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
	legacy VARCHAR(9) NOT NULL, slug VARCHAR(50) NOT NULL, kind VARCHAR(9) NOT NULL, tag VARCHAR(20),
	CONSTRAINT pk_things PRIMARY KEY (id),
	CONSTRAINT ck_things_size CHECK (size >= 0),
	CONSTRAINT fk_things_old_id_owners FOREIGN KEY(old_id) REFERENCES owners (id)
);
INSERT INTO "things" VALUES(1,'One',1,'a',1,'x','one','plain','a');
INSERT INTO "things" VALUES(2,'Two',2,NULL,NULL,'y','two','plain',NULL);
INSERT INTO "things" VALUES(3,'Three',3,'c',2,'z','three','plain','c');
CREATE INDEX ix_things_name ON things (name);
CREATE UNIQUE INDEX ix_things_size ON things (size);
CREATE TRIGGER roster_fill_things_kind_1 AFTER INSERT ON things WHEN NEW.kind IS NULL BEGIN UPDATE things SET kind = 'plain' WHERE id = NEW.id; END;
CREATE TRIGGER roster_fill_things_kind_2 AFTER UPDATE OF kind ON things WHEN NEW.kind IS NULL BEGIN UPDATE things SET kind = 'plain' WHERE id = NEW.id; END;
CREATE TRIGGER roster_sync_things_tag_1 AFTER INSERT ON things WHEN NEW.tag IS NOT NEW.label BEGIN UPDATE things SET tag = CASE WHEN NOT (NEW.tag IS NOT NULL) AND (NEW.label IS NOT NULL OR NEW.tag IS NULL) THEN NEW.label ELSE NEW.tag END, label = CASE WHEN NOT (NEW.tag IS NOT NULL) AND (NEW.label IS NOT NULL OR NEW.tag IS NULL) OR NEW.label IS NOT NULL THEN NEW.label ELSE NEW.tag END WHERE id = NEW.id; END;
CREATE TRIGGER roster_sync_things_tag_2 AFTER UPDATE OF label ON things WHEN NEW.label IS NOT OLD.label AND NEW.tag IS OLD.tag AND NEW.tag IS NOT NEW.label BEGIN UPDATE things SET tag = NEW.label WHERE id = NEW.id; END;
CREATE TRIGGER roster_sync_things_tag_3 AFTER UPDATE OF tag ON things WHEN NEW.tag IS NOT OLD.tag AND NEW.label IS OLD.label AND NEW.tag IS NOT NEW.label BEGIN UPDATE things SET label = NEW.tag WHERE id = NEW.id; END;
COMMIT;

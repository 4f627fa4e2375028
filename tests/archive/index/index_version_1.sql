PRAGMA application_id = 1684621688;
BEGIN TRANSACTION;
CREATE TABLE change (
	number INTEGER NOT NULL, 
	what TEXT DEFAULT '' NOT NULL, 
	study TEXT DEFAULT '' NOT NULL, 
	series TEXT DEFAULT '' NOT NULL, 
	instance TEXT DEFAULT '' NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "change" VALUES(1,'stored','1.2.1','1.2.1.1','1.2.1.1.1',1.79606683436477780344e+09);
INSERT INTO "change" VALUES(2,'stored','1.2.1','1.2.1.1','1.2.1.1.2',1.79606683436491131782e+09);
INSERT INTO "change" VALUES(3,'stored','1.2.2','1.2.2.1','1.2.2.1.1',1.79606683436491513248e+09);
INSERT INTO "change" VALUES(4,'duplicate','1.2.1','1.2.1.1','1.2.1.1.1',1.79606683436713385586e+09);
CREATE TABLE commitment (
	pk INTEGER NOT NULL, 
	transaction_uid TEXT NOT NULL, 
	ae_title TEXT DEFAULT '' NOT NULL, 
	called_ae TEXT DEFAULT '' NOT NULL, 
	host TEXT DEFAULT '' NOT NULL, 
	port INTEGER DEFAULT '0' NOT NULL, 
	state TEXT DEFAULT '' NOT NULL, 
	asked_at FLOAT NOT NULL, 
	next_at FLOAT NOT NULL, 
	attempts BIGINT DEFAULT '0' NOT NULL, 
	repeated INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (pk)
);
CREATE TABLE commitment_item (
	commitment_pk INTEGER NOT NULL, 
	sop_class TEXT DEFAULT '' NOT NULL, 
	sop_uid TEXT DEFAULT '' NOT NULL, 
	FOREIGN KEY(commitment_pk) REFERENCES commitment (pk)
);
CREATE TABLE deleted (
	pk INTEGER NOT NULL, 
	store INTEGER NOT NULL, 
	path TEXT DEFAULT '' NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (pk), 
	FOREIGN KEY(store) REFERENCES store (pk)
);
CREATE TABLE duplicate (
	pk INTEGER NOT NULL, 
	sop_uid TEXT DEFAULT '' NOT NULL, 
	store INTEGER NOT NULL, 
	path TEXT DEFAULT '' NOT NULL, 
	digest BLOB, 
	received FLOAT NOT NULL, 
	calling_ae TEXT DEFAULT '' NOT NULL, 
	why TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (pk), 
	UNIQUE (store, path), 
	FOREIGN KEY(store) REFERENCES store (pk)
);
INSERT INTO "duplicate" VALUES(1,'1.2.1.1.1',1,'1/2/3~2.dcm',X'FFCAE7B7FDC6B74C775742EDA5DED3EC5DE468FEDF8C551F948E1AEF03C37CB9',1700000001.0,'MODALITY','other data set');
CREATE TABLE instance (
	pk INTEGER NOT NULL, 
	series_pk INTEGER NOT NULL, 
	sop_uid TEXT NOT NULL, 
	sop_class INTEGER NOT NULL, 
	ts INTEGER NOT NULL, 
	number BIGINT, 
	store INTEGER NOT NULL, 
	path TEXT, 
	size BIGINT NOT NULL, 
	digest BLOB, 
	received FLOAT NOT NULL, 
	calling_ae TEXT DEFAULT '' NOT NULL, 
	missing INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (pk), 
	FOREIGN KEY(series_pk) REFERENCES series (pk), 
	UNIQUE (sop_uid), 
	FOREIGN KEY(sop_class) REFERENCES uid_name (pk), 
	FOREIGN KEY(ts) REFERENCES uid_name (pk), 
	FOREIGN KEY(store) REFERENCES store (pk)
);
INSERT INTO "instance" VALUES(1,1,'1.2.1.1.1',1,2,1,1,NULL,400,X'1B863159B6B0A4269BA9B9B8D3D63CD8198E441F14F794D91DA16522C062324F',1700000001.0,'MODALITY',0);
INSERT INTO "instance" VALUES(2,1,'1.2.1.1.2',1,2,2,1,NULL,400,X'5CC11ECB2431E15D38C60356320C604C0BF9D3B63CA03B687D5F9262845D06A2',1700000002.0,'MODALITY',0);
INSERT INTO "instance" VALUES(3,2,'1.2.2.1.1',1,2,1,1,NULL,400,X'DC8A5D8233991B9F5702BFDF6FE482246B2793D1BCF3D7A9B31BC8DE4BC936EB',1700000001.0,'MODALITY',0);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema','1');
CREATE TABLE name_word (
	patient_pk INTEGER NOT NULL, 
	word TEXT DEFAULT '' NOT NULL, 
	sound TEXT DEFAULT '' NOT NULL, 
	FOREIGN KEY(patient_pk) REFERENCES patient (pk)
);
INSERT INTO "name_word" VALUES(1,'doe','d000');
INSERT INTO "name_word" VALUES(1,'john','j500');
INSERT INTO "name_word" VALUES(2,'muller','m460');
INSERT INTO "name_word" VALUES(2,'jurgen','j625');
CREATE TABLE patient (
	pk INTEGER NOT NULL, 
	patient_id TEXT DEFAULT '' NOT NULL, 
	issuer TEXT DEFAULT '' NOT NULL, 
	only_study TEXT DEFAULT '' NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	name_norm TEXT DEFAULT '' NOT NULL, 
	name_i TEXT DEFAULT '' NOT NULL, 
	name_p TEXT DEFAULT '' NOT NULL, 
	birth_date TEXT DEFAULT '' NOT NULL, 
	sex TEXT DEFAULT '' NOT NULL, 
	attrs JSON, 
	PRIMARY KEY (pk)
);
INSERT INTO "patient" VALUES(1,'1','','','Doe^John','doe^john','','','','','{"00104000":{"vr":"LT","Value":["kept"]}}');
INSERT INTO "patient" VALUES(2,'2','','','Müller^Jürgen','muller^jurgen','','','','',NULL);
CREATE TABLE pixels (
	instance_pk INTEGER NOT NULL, 
	"offset" BIGINT NOT NULL, 
	length BIGINT NOT NULL, 
	frames BIGINT DEFAULT '0' NOT NULL, 
	rows BIGINT DEFAULT '0' NOT NULL, 
	columns BIGINT DEFAULT '0' NOT NULL, 
	bits BIGINT DEFAULT '0' NOT NULL, 
	"table" BLOB, 
	PRIMARY KEY (instance_pk), 
	FOREIGN KEY(instance_pk) REFERENCES instance (pk)
);
CREATE TABLE series (
	pk INTEGER NOT NULL, 
	study_pk INTEGER NOT NULL, 
	series_uid TEXT NOT NULL, 
	modality TEXT DEFAULT '' NOT NULL, 
	number BIGINT, 
	description TEXT DEFAULT '' NOT NULL, 
	description_norm TEXT DEFAULT '' NOT NULL, 
	body_part TEXT DEFAULT '' NOT NULL, 
	station TEXT DEFAULT '' NOT NULL, 
	date TEXT DEFAULT '' NOT NULL, 
	time TEXT DEFAULT '' NOT NULL, 
	n_instances BIGINT DEFAULT '0' NOT NULL, 
	attrs JSON, 
	PRIMARY KEY (pk), 
	UNIQUE (series_uid, study_pk), 
	FOREIGN KEY(study_pk) REFERENCES study (pk)
);
INSERT INTO "series" VALUES(1,1,'1.2.1.1','CT',NULL,'','','','','','',2,NULL);
INSERT INTO "series" VALUES(2,2,'1.2.2.1','CT',NULL,'','','','','','',1,NULL);
CREATE TABLE store (
	pk INTEGER NOT NULL, 
	node TEXT NOT NULL, 
	root TEXT DEFAULT '' NOT NULL, 
	clean INTEGER DEFAULT '1' NOT NULL, 
	synced_at FLOAT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (pk), 
	UNIQUE (node)
);
INSERT INTO "store" VALUES(1,'','/nonexistent/archive',1,0.0);
CREATE TABLE study (
	pk INTEGER NOT NULL, 
	patient_pk INTEGER NOT NULL, 
	study_uid TEXT NOT NULL, 
	study_date TEXT DEFAULT '' NOT NULL, 
	study_time TEXT DEFAULT '' NOT NULL, 
	accession TEXT DEFAULT '' NOT NULL, 
	accession_norm TEXT DEFAULT '' NOT NULL, 
	study_id TEXT DEFAULT '' NOT NULL, 
	description TEXT DEFAULT '' NOT NULL, 
	description_norm TEXT DEFAULT '' NOT NULL, 
	referring TEXT DEFAULT '' NOT NULL, 
	referring_norm TEXT DEFAULT '' NOT NULL, 
	modalities TEXT DEFAULT '' NOT NULL, 
	sop_classes TEXT DEFAULT '' NOT NULL, 
	n_series BIGINT DEFAULT '0' NOT NULL, 
	n_instances BIGINT DEFAULT '0' NOT NULL, 
	size BIGINT DEFAULT '0' NOT NULL, 
	first_received FLOAT NOT NULL, 
	last_received FLOAT NOT NULL, 
	differing BIGINT DEFAULT '0' NOT NULL, 
	attrs JSON, 
	PRIMARY KEY (pk), 
	FOREIGN KEY(patient_pk) REFERENCES patient (pk), 
	UNIQUE (study_uid)
);
INSERT INTO "study" VALUES(1,1,'1.2.1','20240131','','','','','','','','','CT','1.2.840.10008.5.1.4.1.1.2',1,2,800,1700000001.0,1700000002.0,0,NULL);
INSERT INTO "study" VALUES(2,2,'1.2.2','20240131','','','','','','','','','CT','1.2.840.10008.5.1.4.1.1.2',1,1,400,1700000001.0,1700000001.0,0,NULL);
CREATE TABLE uid_name (
	pk INTEGER NOT NULL, 
	uid TEXT NOT NULL, 
	PRIMARY KEY (pk), 
	UNIQUE (uid)
);
INSERT INTO "uid_name" VALUES(1,'1.2.840.10008.5.1.4.1.1.2');
INSERT INTO "uid_name" VALUES(2,'1.2.840.10008.1.2.1');
CREATE INDEX commitment_by_time ON commitment (state, next_at);
CREATE INDEX commitment_by_uid ON commitment (transaction_uid);
CREATE UNIQUE INDEX patient_by_id ON patient (patient_id, issuer, only_study);
CREATE INDEX patient_by_name ON patient (name_norm, pk);
CREATE INDEX patient_by_name_i ON patient (name_i) WHERE name_i <> '';
CREATE INDEX patient_by_name_p ON patient (name_p) WHERE name_p <> '';
CREATE INDEX commitment_item_by_commitment ON commitment_item (commitment_pk);
CREATE INDEX duplicate_by_uid ON duplicate (sop_uid);
CREATE INDEX name_word_by_patient ON name_word (patient_pk);
CREATE INDEX name_word_by_sound ON name_word (sound);
CREATE INDEX name_word_by_word ON name_word (word);
CREATE INDEX study_by_accession ON study (accession);
CREATE INDEX study_by_date ON study (study_date DESC, study_uid);
CREATE INDEX study_by_last_received ON study (last_received);
CREATE INDEX study_by_patient ON study (patient_pk);
CREATE INDEX series_by_modality ON series (modality, study_pk);
CREATE INDEX series_by_study ON series (study_pk);
CREATE INDEX instance_by_series ON instance (series_pk, number);
COMMIT;

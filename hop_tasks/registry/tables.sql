CREATE SCHEMA IF NOT EXISTS half_orm_meta;
CREATE SCHEMA IF NOT EXISTS "half_orm_meta.view";
CREATE TABLE IF NOT EXISTS half_orm_meta.database (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    production BOOLEAN DEFAULT false,
    production_since TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS half_orm_meta.hop_attempt (
    id BIGINT NOT NULL,
    command TEXT NOT NULL,
    from_release TEXT,
    to_release TEXT,
    state TEXT DEFAULT 'running' NOT NULL,
    detail TEXT,
    backup TEXT,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    applied_by TEXT DEFAULT session_user NOT NULL,
    applied_from TEXT,
    hop_release TEXT,
    PRIMARY KEY (id),
    CONSTRAINT hop_attempt_state_check CHECK (state IN ('running', 'done', 'failed', 'interrupted'))
);
CREATE TABLE IF NOT EXISTS half_orm_meta.hop_step (
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    title TEXT NOT NULL,
    checksum TEXT NOT NULL,
    state TEXT DEFAULT 'planned' NOT NULL,
    before JSONB,
    started_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT hop_step_pkey PRIMARY KEY (major, minor, patch, step),
    CONSTRAINT hop_step_state_check CHECK (state IN ('planned', 'running', 'done'))
);
CREATE TABLE IF NOT EXISTS half_orm_meta.hop_release (
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    patch INTEGER NOT NULL,
    pre_release TEXT DEFAULT '' NOT NULL,
    pre_release_num TEXT DEFAULT '' NOT NULL,
    date DATE DEFAULT CURRENT_DATE,
    time TIME(0) WITH TIME ZONE DEFAULT CURRENT_TIME,
    changelog TEXT,
    commit TEXT,
    dbid TEXT,
    hop_release TEXT,
    applied_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp(),
    applied_by TEXT DEFAULT session_user,
    applied_from TEXT,
    duration INTERVAL,
    author TEXT,
    checksum TEXT,
    tag TEXT,
    tree TEXT,
    started_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT hop_release_pkey PRIMARY KEY (major, minor, patch, pre_release, pre_release_num),
    CONSTRAINT hop_release_major_check CHECK (major >= 0),
    CONSTRAINT hop_release_minor_check CHECK (minor >= 0),
    CONSTRAINT hop_release_patch_check CHECK (patch >= 0),
    CONSTRAINT hop_release_pre_release_check CHECK (pre_release IN ('alpha', 'beta', 'rc', '')),
    CONSTRAINT hop_release_pre_release_num_check CHECK (pre_release_num = '' OR pre_release_num ~ '^\d+$'),
    FOREIGN KEY(dbid) REFERENCES half_orm_meta.database (id) ON UPDATE CASCADE
);
CREATE TABLE IF NOT EXISTS half_orm_meta.hop_release_issue (
    num INTEGER NOT NULL,
    issue_release INTEGER DEFAULT 0 NOT NULL,
    release_major INTEGER NOT NULL,
    release_minor INTEGER NOT NULL,
    release_patch INTEGER NOT NULL,
    release_pre_release TEXT NOT NULL,
    release_pre_release_num TEXT NOT NULL,
    changelog TEXT,
    CONSTRAINT hop_release_issue_pkey PRIMARY KEY (num, issue_release),
    CONSTRAINT hop_release_issue_num_check CHECK (num >= 0),
    CONSTRAINT hop_release_issue_release_fkey FOREIGN KEY(release_major, release_minor, release_patch, release_pre_release, release_pre_release_num) REFERENCES half_orm_meta.hop_release (major, minor, patch, pre_release, pre_release_num)
);
ALTER TABLE half_orm_meta.database ADD COLUMN IF NOT EXISTS production BOOLEAN;
ALTER TABLE half_orm_meta.database ALTER COLUMN production SET DEFAULT false;
ALTER TABLE half_orm_meta.database ADD COLUMN IF NOT EXISTS production_since TIMESTAMP WITH TIME ZONE;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS applied_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE half_orm_meta.hop_release ALTER COLUMN applied_at SET DEFAULT clock_timestamp();
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS applied_by TEXT;
ALTER TABLE half_orm_meta.hop_release ALTER COLUMN applied_by SET DEFAULT session_user;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS applied_from TEXT;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS duration INTERVAL;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS author TEXT;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS checksum TEXT;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS tag TEXT;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS tree TEXT;
ALTER TABLE half_orm_meta.hop_release ADD COLUMN IF NOT EXISTS started_at TIMESTAMP WITH TIME ZONE;
CREATE OR REPLACE VIEW "half_orm_meta.view".hop_last_release AS SELECT half_orm_meta.hop_release.major, half_orm_meta.hop_release.minor, half_orm_meta.hop_release.patch, half_orm_meta.hop_release.pre_release, half_orm_meta.hop_release.pre_release_num, half_orm_meta.hop_release.date, half_orm_meta.hop_release.time, half_orm_meta.hop_release.changelog, half_orm_meta.hop_release.commit
FROM half_orm_meta.hop_release ORDER BY half_orm_meta.hop_release.major DESC, half_orm_meta.hop_release.minor DESC, half_orm_meta.hop_release.patch DESC, half_orm_meta.hop_release.pre_release DESC, half_orm_meta.hop_release.pre_release_num DESC
 LIMIT 1;
CREATE OR REPLACE VIEW "half_orm_meta.view".hop_penultimate_release AS SELECT penultimate.major, penultimate.minor, penultimate.patch
FROM (SELECT half_orm_meta.hop_release.major AS major, half_orm_meta.hop_release.minor AS minor, half_orm_meta.hop_release.patch AS patch
FROM half_orm_meta.hop_release ORDER BY half_orm_meta.hop_release.major DESC, half_orm_meta.hop_release.minor DESC, half_orm_meta.hop_release.patch DESC
 LIMIT 2) AS penultimate ORDER BY penultimate.major, penultimate.minor, penultimate.patch
 LIMIT 1;

/**
 * The schema, as the steps that led to it. A step that was released is never changed; the next one is added at the end.
 * Times are milliseconds since the epoch. States are the domain's words.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE workspaces (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE environments (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE tokens (id TEXT PRIMARY KEY, secret_sha256 TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;

  CREATE TABLE apps (
    id TEXT PRIMARY KEY, environment_id TEXT NOT NULL REFERENCES environments, name TEXT NOT NULL, state TEXT NOT NULL,
    created_at INTEGER NOT NULL, stopped_at INTEGER, layout TEXT NOT NULL
  ) STRICT;
  CREATE INDEX apps_by_state ON apps (state) WHERE state <> 'stopped';

  CREATE TABLE images (
    id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, python TEXT NOT NULL, builder_version TEXT NOT NULL
  ) STRICT;
  CREATE TABLE mounts (id TEXT PRIMARY KEY, manifest_sha256 TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE blobs (
    id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, size INTEGER NOT NULL, complete INTEGER NOT NULL, created_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE functions (
    id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps, name TEXT NOT NULL, definition_id TEXT NOT NULL,
    definition BLOB NOT NULL, client_version TEXT NOT NULL, image_id TEXT NOT NULL, policy TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    queued INTEGER NOT NULL DEFAULT 0, claimed INTEGER NOT NULL DEFAULT 0,
    crash_streak INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX functions_by_app ON functions (app_id);
  CREATE INDEX functions_wanted ON functions (id) WHERE queued > 0 OR claimed > 0;
  CREATE TABLE classes (id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES apps) STRICT;
  CREATE INDEX classes_by_app ON classes (app_id);

  CREATE TABLE calls (
    id TEXT PRIMARY KEY, function_id TEXT NOT NULL, app_id TEXT NOT NULL, state TEXT NOT NULL, shape TEXT NOT NULL,
    invocation TEXT NOT NULL, inputs INTEGER NOT NULL, unfinished INTEGER NOT NULL, created_at INTEGER NOT NULL,
    finished_at INTEGER, acknowledged_at INTEGER
  ) STRICT;
  CREATE INDEX calls_open ON calls (app_id) WHERE state = 'open';
  CREATE INDEX calls_by_end ON calls (finished_at) WHERE finished_at IS NOT NULL;
  CREATE INDEX calls_by_acknowledgement ON calls (acknowledged_at) WHERE acknowledged_at IS NOT NULL;

  CREATE TABLE inputs (
    id TEXT PRIMARY KEY, call_id TEXT NOT NULL, function_id TEXT NOT NULL, idx INTEGER NOT NULL, state TEXT NOT NULL,
    payload BLOB NOT NULL, attempt INTEGER NOT NULL, crashes INTEGER NOT NULL, container_id TEXT, claimed_at INTEGER
  ) STRICT;
  CREATE INDEX inputs_by_call ON inputs (call_id);
  CREATE INDEX inputs_queued ON inputs (function_id) WHERE state = 'queued';
  CREATE INDEX inputs_claimed ON inputs (container_id) WHERE state = 'claimed';

  CREATE TABLE outputs (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, call_id TEXT NOT NULL, input_id TEXT NOT NULL UNIQUE, idx INTEGER NOT NULL,
    result BLOB NOT NULL, data_format INTEGER NOT NULL, container_id TEXT, started_at INTEGER, created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX outputs_by_call ON outputs (call_id, entry);

  CREATE TABLE containers (
    id TEXT PRIMARY KEY, function_id TEXT NOT NULL, app_id TEXT NOT NULL, worker_id TEXT NOT NULL, state TEXT NOT NULL,
    fence TEXT NOT NULL, milli_cpu INTEGER NOT NULL, memory_mib INTEGER NOT NULL, held INTEGER NOT NULL,
    finished INTEGER NOT NULL, created_at INTEGER NOT NULL, ready_at INTEGER, idle_since INTEGER NOT NULL,
    kill_at INTEGER, gone_at INTEGER, gone_reason TEXT, log_offset INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX containers_alive ON containers (function_id) WHERE state <> 'gone';
  CREATE INDEX containers_by_app ON containers (app_id);
  CREATE INDEX containers_gone ON containers (gone_at) WHERE gone_at IS NOT NULL;

  CREATE TABLE logs (app_id TEXT PRIMARY KEY, segment INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
  CREATE TABLE replies (key TEXT PRIMARY KEY, reply BLOB NOT NULL, kept_at INTEGER NOT NULL) STRICT;
  CREATE INDEX replies_by_time ON replies (kept_at);
  `,
  // Attempts after the first, streams of data, variants of functions, calls made by calls, names of deployments.
  `
  ALTER TABLE inputs ADD COLUMN method TEXT NOT NULL DEFAULT '';
  ALTER TABLE inputs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE inputs ADD COLUMN queued_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE inputs ADD COLUMN due_at INTEGER;
  ALTER TABLE inputs ADD COLUMN ending TEXT;
  CREATE INDEX inputs_delayed ON inputs (due_at) WHERE state = 'delayed';
  CREATE INDEX inputs_ending ON inputs (container_id) WHERE state = 'claimed' AND ending IS NOT NULL;

  ALTER TABLE calls ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX calls_by_creation ON calls (created_at);
  ALTER TABLE calls ADD COLUMN parent_input_id TEXT NOT NULL DEFAULT '';
  CREATE INDEX calls_by_parent ON calls (parent_input_id) WHERE parent_input_id <> '';

  CREATE INDEX apps_deployed ON apps (environment_id, name) WHERE state = 'deployed';
  ALTER TABLE containers ADD COLUMN definition_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE containers ADD COLUMN gpu_kind TEXT;
  ALTER TABLE containers ADD COLUMN gpu_count INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE functions ADD COLUMN delayed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE functions ADD COLUMN base_id TEXT;
  ALTER TABLE functions ADD COLUMN binding_key TEXT;
  ALTER TABLE functions ADD COLUMN parameters BLOB;
  ALTER TABLE functions ADD COLUMN options BLOB;
  CREATE UNIQUE INDEX functions_by_binding ON functions (binding_key) WHERE binding_key IS NOT NULL;
  CREATE INDEX functions_by_base ON functions (base_id) WHERE base_id IS NOT NULL;
  ALTER TABLE functions ADD COLUMN min_containers INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX functions_kept ON functions (id) WHERE min_containers > 0;
  UPDATE functions SET min_containers = policy ->> 'minContainers', policy = json_set(policy, '$.needs', json_object(
    'milliCpu', policy -> 'milliCpu', 'memoryMib', policy -> 'memoryMib',
    'gpus', json_array(), 'regions', json_array(), 'cloud', ''));
  -- Their containers were told no number of the attempt, and say the first.
  UPDATE inputs SET attempt = 1, crashes = 0 WHERE state = 'claimed';

  CREATE TABLE chunks (
    call_id TEXT NOT NULL, idx INTEGER NOT NULL, data_format INTEGER NOT NULL, data BLOB, blob_id TEXT,
    PRIMARY KEY (call_id, idx)
  ) STRICT, WITHOUT ROWID;
  `,
  // What is too much for one unit of work, and an index for each look.
  `
  CREATE INDEX inputs_unfinished ON inputs (call_id) WHERE state <> 'done';
  DROP INDEX inputs_by_call;
  CREATE INDEX inputs_by_call ON inputs (call_id, idx);
  CREATE INDEX outputs_by_place ON outputs (call_id, idx);

  CREATE TABLE sweeps (
    number INTEGER PRIMARY KEY, what TEXT NOT NULL, target TEXT NOT NULL, result BLOB NOT NULL,
    data_format INTEGER NOT NULL
  ) STRICT;
  `,
  // Secrets, and which functions use them.
  `
  CREATE TABLE secrets (
    id TEXT PRIMARY KEY, environment_id TEXT NOT NULL REFERENCES environments, state TEXT NOT NULL, name TEXT NOT NULL,
    app_id TEXT, keys TEXT NOT NULL, version INTEGER NOT NULL, key_id TEXT NOT NULL, sealed BLOB NOT NULL,
    fingerprint TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL, last_used_at INTEGER
  ) STRICT;
  CREATE UNIQUE INDEX secrets_named ON secrets (environment_id, name) WHERE state = 'named';
  CREATE INDEX secrets_listed ON secrets (environment_id, created_at) WHERE state = 'named';
  CREATE INDEX secrets_by_app ON secrets (app_id) WHERE app_id IS NOT NULL;
  CREATE INDEX secrets_unnamed ON secrets (created_at) WHERE state <> 'named';

  CREATE TABLE secret_uses (
    function_id TEXT NOT NULL, secret_id TEXT NOT NULL, PRIMARY KEY (function_id, secret_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX secret_uses_by_secret ON secret_uses (secret_id);
  `,
  // Images are made by workers, and have names. Those of before are to be made again, of the base that they were.
  `
  CREATE TABLE made_images (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, builder_version TEXT NOT NULL, recipe TEXT NOT NULL, force INTEGER NOT NULL,
    state TEXT NOT NULL, since INTEGER NOT NULL, losses INTEGER NOT NULL, worker_id TEXT NOT NULL, fence TEXT NOT NULL,
    built TEXT, built_at INTEGER, failure TEXT, log_from TEXT NOT NULL, log_offset INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO made_images
    SELECT id, key, builder_version, json_object(
      'lines', json_array('FROM python:' || python || '-slim-bookworm'), 'bases', json_object(),
      'contextManifestSha256', '', 'contextName', '', 'contextFiles', json_array(), 'buildArgs', json_object(),
      'secretIds', json_array(), 'secretsIdentity', ''), 0, 'idle', 0, 0, '', '', NULL, NULL, NULL, '', 0
    FROM images;
  DROP TABLE images;
  ALTER TABLE made_images RENAME TO images;
  CREATE INDEX images_by_key ON images (key) WHERE key <> '';
  CREATE INDEX images_under_way ON images (since) WHERE state IN ('wanted', 'building');

  CREATE TABLE image_revisions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, environment_id TEXT NOT NULL REFERENCES environments, name TEXT NOT NULL,
    image_id TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL
  ) STRICT;
  CREATE INDEX image_revisions_by_name ON image_revisions (environment_id, name, number);

  CREATE TABLE named_mounts (
    id TEXT PRIMARY KEY, manifest_sha256 TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (manifest_sha256, name)
  ) STRICT;
  INSERT INTO named_mounts SELECT id, manifest_sha256, '' FROM mounts;
  DROP TABLE mounts;
  ALTER TABLE named_mounts RENAME TO mounts;
  `,
  // Fewer pages for each claim and output: counts in rows of their own, definitions in others, an output found by its input.
  `
  CREATE TABLE demands (
    function_id TEXT PRIMARY KEY, queued INTEGER NOT NULL, claimed INTEGER NOT NULL, delayed INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO demands SELECT id, queued, claimed, delayed FROM functions WHERE queued + claimed + delayed > 0;
  DROP INDEX functions_wanted;
  ALTER TABLE functions DROP COLUMN queued;
  ALTER TABLE functions DROP COLUMN claimed;
  ALTER TABLE functions DROP COLUMN delayed;
  CREATE TABLE definitions (function_id TEXT PRIMARY KEY, definition BLOB NOT NULL) STRICT;
  INSERT INTO definitions SELECT id, definition FROM functions WHERE length(definition) > 0;
  ALTER TABLE functions DROP COLUMN definition;

  CREATE TABLE outputs_of_inputs (
    entry INTEGER PRIMARY KEY, call_id TEXT NOT NULL, input_id TEXT NOT NULL, idx INTEGER NOT NULL, result BLOB NOT NULL,
    data_format INTEGER NOT NULL, container_id TEXT, started_at INTEGER, created_at INTEGER NOT NULL
  ) STRICT;
  INSERT INTO outputs_of_inputs
    SELECT entry, call_id, input_id, idx, result, data_format, container_id, started_at, created_at FROM outputs;
  ALTER TABLE inputs ADD COLUMN output INTEGER;
  UPDATE inputs SET output = (SELECT entry FROM outputs WHERE input_id = inputs.id) WHERE state = 'done';
  DROP TABLE outputs;
  ALTER TABLE outputs_of_inputs RENAME TO outputs;
  CREATE INDEX outputs_by_call ON outputs (call_id);
  -- Not by its state, which a claim changes as well.
  DROP INDEX inputs_unfinished;
  CREATE INDEX inputs_unfinished ON inputs (call_id) WHERE output IS NULL;

  CREATE TABLE kept_replies (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, reply BLOB NOT NULL, kept_at INTEGER NOT NULL) STRICT;
  INSERT INTO kept_replies (key, reply, kept_at) SELECT key, reply, kept_at FROM replies ORDER BY kept_at;
  DROP TABLE replies;
  ALTER TABLE kept_replies RENAME TO replies;
  `,
  // When images were last asked for, and who needs them.
  `
  ALTER TABLE images ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
  UPDATE images SET used_at = since;
  CREATE INDEX functions_by_image ON functions (image_id);
  CREATE INDEX image_revisions_by_image ON image_revisions (image_id);
  `,
  // Dicts and queues.
  `
  CREATE TABLE objects (
    contents INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    environment_id TEXT NOT NULL REFERENCES environments, name TEXT NOT NULL, created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX objects_named ON objects (kind, environment_id, name) WHERE name <> '';
  CREATE INDEX objects_listed ON objects (kind, environment_id, created_at);
  CREATE INDEX objects_ephemeral ON objects (id) WHERE name = '';

  -- Values come last: who asks for what is before them does not read them.
  CREATE TABLE dict_entries (
    number INTEGER PRIMARY KEY, dict INTEGER NOT NULL, kept_until INTEGER NOT NULL, key BLOB NOT NULL,
    value BLOB NOT NULL, UNIQUE (dict, key)
  ) STRICT;
  CREATE INDEX dict_entries_by_end ON dict_entries (dict, kept_until);

  CREATE TABLE queue_partitions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL, key BLOB NOT NULL, next INTEGER NOT NULL,
    items INTEGER NOT NULL, bytes INTEGER NOT NULL, kept_until INTEGER NOT NULL, UNIQUE (queue, key)
  ) STRICT;
  CREATE INDEX queue_partitions_by_end ON queue_partitions (kept_until);
  CREATE TABLE queue_items (
    number INTEGER PRIMARY KEY, part INTEGER NOT NULL, position INTEGER NOT NULL, value BLOB NOT NULL,
    UNIQUE (part, position)
  ) STRICT;
  `,
  // Volumes: an entry is there from the commit `since` on, until the commit `until` or for ever.
  `
  CREATE TABLE volumes (
    id TEXT PRIMARY KEY, environment_id TEXT NOT NULL REFERENCES environments, state TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, head INTEGER NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL, created_by TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX volumes_by_name ON volumes (environment_id, name) WHERE state = 'named';
  CREATE INDEX volumes_by_age ON volumes (environment_id, created_at) WHERE state = 'named';
  CREATE INDEX volumes_ephemeral ON volumes (id) WHERE state = 'ephemeral';
  CREATE INDEX volumes_deleted ON volumes (id) WHERE state = 'deleted' AND head > 0;

  CREATE TABLE volume_commits (
    volume_id TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, made_at INTEGER NOT NULL, made_by TEXT NOT NULL,
    written INTEGER NOT NULL, removed INTEGER NOT NULL, PRIMARY KEY (volume_id, number)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX volume_commits_by_key ON volume_commits (volume_id, key);

  CREATE TABLE volume_entries (
    volume_id TEXT NOT NULL, path TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, folder TEXT NOT NULL,
    kind TEXT NOT NULL, mode INTEGER NOT NULL, mtime INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (volume_id, path, since)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX volume_entries_by_folder ON volume_entries (volume_id, folder, path);
  CREATE INDEX volume_entries_by_begin ON volume_entries (volume_id, since, path);
  CREATE INDEX volume_entries_by_end ON volume_entries (volume_id, until, path) WHERE until IS NOT NULL;
  `,
  // Which states of volumes can be read, and up to which end of an entry the others are forgotten.
  `
  ALTER TABLE volumes ADD COLUMN oldest INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE volumes ADD COLUMN trimmed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE volumes ADD COLUMN trimmed_path TEXT NOT NULL DEFAULT '';
  CREATE INDEX volumes_with_history ON volumes (id) WHERE head > oldest AND state <> 'deleted';
  CREATE INDEX volumes_to_trim ON volumes (id) WHERE trimmed < oldest AND state <> 'deleted';
  `,
  // Functions that are called by themselves.
  `
  CREATE TABLE schedules (
    function_id TEXT PRIMARY KEY, app_id TEXT NOT NULL, rule TEXT NOT NULL, anchor INTEGER NOT NULL, due_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL, last_due_at INTEGER, last_call_id TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX schedules_by_moment ON schedules (due_at);
  CREATE INDEX schedules_by_app ON schedules (app_id);
  `,
  // Web functions: who has which host name, and who may pass where not everybody may.
  `
  CREATE TABLE web_addresses (
    host TEXT PRIMARY KEY, function_id TEXT NOT NULL, method TEXT NOT NULL, guarded INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX web_addresses_by_function ON web_addresses (function_id);
  CREATE TABLE proxy_tokens (id TEXT PRIMARY KEY, secret_sha256 TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
  CREATE INDEX calls_of_web ON calls (id) WHERE shape = 'web' AND state <> 'finished';
  `,
  // What nothing needs, and since when: content by its digest, blobs and mounts by their ids.
  `
  CREATE TABLE unneeded (id TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // Proxy tokens have names, and makers.
  `
  ALTER TABLE proxy_tokens ADD COLUMN name TEXT NOT NULL DEFAULT '';
  ALTER TABLE proxy_tokens ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
  `,
  // Deployments are versions: what functions were defined as is kept for as long as a version names it.
  `
  ALTER TABLE apps ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
  ALTER TABLE apps ADD COLUMN stopped_by TEXT NOT NULL DEFAULT '';
  ALTER TABLE apps ADD COLUMN deployed_at INTEGER;
  ALTER TABLE apps ADD COLUMN deployed_by TEXT NOT NULL DEFAULT '';
  ALTER TABLE apps ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE apps ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
  CREATE INDEX apps_stopped ON apps (environment_id, stopped_at) WHERE stopped_at IS NOT NULL;
  CREATE INDEX apps_once_deployed ON apps (environment_id, name, deployed_at) WHERE version > 0;

  CREATE TABLE editions (
    definition_id TEXT PRIMARY KEY, function_id TEXT NOT NULL, app_id TEXT NOT NULL, name TEXT NOT NULL,
    client_version TEXT NOT NULL, image_id TEXT NOT NULL, policy TEXT NOT NULL, digest TEXT NOT NULL,
    created_at INTEGER NOT NULL, versions INTEGER NOT NULL DEFAULT 0, definition BLOB NOT NULL
  ) STRICT;
  CREATE INDEX editions_by_app ON editions (app_id);
  CREATE INDEX editions_by_image ON editions (image_id);
  CREATE INDEX editions_unnamed ON editions (created_at) WHERE versions = 0;

  CREATE TABLE app_versions (
    app_id TEXT NOT NULL, version INTEGER NOT NULL, kind TEXT NOT NULL, made_from INTEGER NOT NULL,
    deployed_at INTEGER NOT NULL, deployed_by TEXT NOT NULL, client_version TEXT NOT NULL, tag TEXT NOT NULL,
    revision BLOB NOT NULL, is_kept INTEGER NOT NULL, layout TEXT NOT NULL, definitions TEXT NOT NULL,
    PRIMARY KEY (app_id, version)
  ) STRICT, WITHOUT ROWID;

  -- What is deployed is the first version of its app.
  INSERT INTO editions
    SELECT definition_id, functions.id, app_id, functions.name, client_version, image_id, policy, '', functions.created_at, 1, definition
    FROM functions JOIN definitions ON function_id = functions.id JOIN apps ON apps.id = app_id
    WHERE apps.state = 'deployed' AND base_id IS NULL;
  INSERT INTO app_versions
    SELECT id, 1, 'standard', 0, created_at, '', '', '', x'', 1, layout, (
      SELECT json_group_object(function_id, definition_id) FROM editions WHERE app_id = apps.id)
    FROM apps WHERE state = 'deployed' AND EXISTS (SELECT 1 FROM editions WHERE app_id = apps.id);
  UPDATE apps SET version = 1, deployed_at = created_at
    WHERE EXISTS (SELECT 1 FROM app_versions WHERE app_id = apps.id);
  `,
  // Several environments, and tokens that have names and end.
  `
  ALTER TABLE environments ADD COLUMN web_suffix TEXT NOT NULL DEFAULT '';
  ALTER TABLE environments ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE environments ADD COLUMN deleted_at INTEGER;
  ALTER TABLE workspaces ADD COLUMN default_environment_id TEXT NOT NULL DEFAULT '';
  UPDATE workspaces SET default_environment_id = ifnull((SELECT id FROM environments WHERE name = 'main'), '');

  ALTER TABLE tokens ADD COLUMN name TEXT NOT NULL DEFAULT '';
  ALTER TABLE tokens ADD COLUMN expires_at INTEGER;
  ALTER TABLE tokens ADD COLUMN is_disabled INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE schedules ADD COLUMN format TEXT NOT NULL DEFAULT 'pickle';

  CREATE TABLE token_requests (
    id TEXT PRIMARY KEY, code TEXT NOT NULL, wait_sha256 TEXT NOT NULL, created_at INTEGER NOT NULL, lifetime INTEGER,
    tries INTEGER NOT NULL, granted_name TEXT
  ) STRICT;
  `,
  // Lists of calls among very many.
  `
  CREATE INDEX calls_by_function ON calls (function_id, created_at);
  CREATE INDEX calls_failed ON calls (created_at) WHERE failed > 0;
  `,
  // Commits that have returned while their files are on their way.
  `
  CREATE TABLE volume_owed (volume_id TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  // What was counted by the time that it happened, and the last of what has ended.
  `
  CREATE TABLE tallies (
    function_id TEXT NOT NULL, began_at INTEGER NOT NULL, span INTEGER NOT NULL, container_id TEXT NOT NULL, tally TEXT NOT NULL,
    PRIMARY KEY (function_id, began_at, span, container_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tallies_by_age ON tallies (span, began_at);

  CREATE TABLE past_inputs (
    function_id TEXT NOT NULL, queued_at INTEGER NOT NULL, call_id TEXT NOT NULL, idx INTEGER NOT NULL, method TEXT NOT NULL,
    started_at INTEGER, ended_at INTEGER NOT NULL, container_id TEXT, outcome TEXT NOT NULL
  ) STRICT;
  CREATE INDEX past_inputs_by_time ON past_inputs (function_id, queued_at);
  CREATE INDEX past_inputs_by_end ON past_inputs (ended_at);

  CREATE TABLE past_requests (
    function_id TEXT NOT NULL, at INTEGER NOT NULL, route TEXT NOT NULL, container_id TEXT NOT NULL, ms INTEGER NOT NULL, status INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX past_requests_by_time ON past_requests (function_id, at);
  CREATE INDEX past_requests_by_age ON past_requests (at);

  CREATE INDEX containers_by_function ON containers (function_id, created_at);
  `,
];

/**
 * The steps from an empty file to today's schema. Step n brings a file from version n to n + 1; `PRAGMA user_version`
 * holds the version. Steps that have been released are never changed. The view is for people who look into the
 * file with sqlite3(1); columns of their own would cost something with every record.
 */
export const SCHEMA_STEPS: readonly string[] = [
  `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    time INTEGER NOT NULL,
    message_id TEXT,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_time ON events (time);
  CREATE INDEX events_message_id ON events (message_id, time) WHERE message_id IS NOT NULL;
  CREATE TABLE event_address (
    domain TEXT NOT NULL,
    local TEXT NOT NULL,
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (domain, local, time, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX event_address_seq ON event_address (seq);
  CREATE VIEW event_list AS
    SELECT
      seq,
      strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch') AS time,
      id,
      record ->> '$.event' AS event,
      record ->> '$.client.ip' AS client_ip,
      record ->> '$.sender' AS sender,
      record ->> '$.recipients[0].address' AS first_recipient,
      record ->> '$.rule' AS rule,
      record ->> '$.reply' AS reply,
      message_id
    FROM events;
  `,
  `
  CREATE TABLE held_copy (
    id TEXT PRIMARY KEY,
    time INTEGER NOT NULL,
    sender TEXT,
    client_ip TEXT,
    message_id TEXT,
    subject TEXT NOT NULL,
    size INTEGER NOT NULL,
    has_content INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX held_copy_time ON held_copy (has_content, time, id);
  CREATE TABLE held_recipient (
    id TEXT NOT NULL,
    n INTEGER NOT NULL,
    time INTEGER NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    rule TEXT NOT NULL,
    verdict TEXT NOT NULL,
    address TEXT NOT NULL,
    domain TEXT NOT NULL,
    local TEXT NOT NULL,
    sender_domain TEXT NOT NULL,
    sender_local TEXT NOT NULL,
    PRIMARY KEY (id, n)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX held_recipient_time ON held_recipient (time, id, n);
  CREATE INDEX held_recipient_state ON held_recipient (state, time, id, n);
  CREATE INDEX held_recipient_rule ON held_recipient (rule, time, id, n);
  CREATE INDEX held_recipient_address ON held_recipient (domain, local, time, id, n);
  CREATE INDEX held_recipient_domain ON held_recipient (domain, time, id, n);
  CREATE INDEX held_recipient_sender ON held_recipient (sender_domain, sender_local, time, id, n);
  CREATE INDEX held_recipient_sender_domain ON held_recipient (sender_domain, time, id, n);
  `,
];

/** The schema this program writes and reads. */
export const SCHEMA_VERSION = SCHEMA_STEPS.length;

/** Marks the file as ours (`PRAGMA application_id`, "Post"), so that no other program's database is written to. */
export const APPLICATION_ID = 0x506f7374;

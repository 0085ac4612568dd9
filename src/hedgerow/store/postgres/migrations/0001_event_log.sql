-- The event logs of many bots: one row of bots for each account, events append-only, one snapshot for each account.
CREATE TABLE hedgerow.bots (
    account text PRIMARY KEY,
    name text NOT NULL,
    mode text NOT NULL,
    shown_account text NOT NULL,
    epoch bigint NOT NULL,
    format integer NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    opened_at timestamptz NOT NULL
);
COMMENT ON COLUMN hedgerow.bots.account IS 'hash of the account: SHA-256 of its address or API key, first 32 digits';
COMMENT ON COLUMN hedgerow.bots.epoch IS 'the fence: raised whenever a bot takes over; a bot with an older one cannot append';
COMMENT ON COLUMN hedgerow.bots.format IS 'version of the events JSON';

CREATE TABLE hedgerow.events (
    account text NOT NULL REFERENCES hedgerow.bots,
    seq bigint NOT NULL CHECK (seq > 0),
    kind text NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE TABLE hedgerow.snapshots (
    account text PRIMARY KEY REFERENCES hedgerow.bots,
    seq bigint NOT NULL,
    version text NOT NULL,
    payload bytea NOT NULL
);

CREATE FUNCTION hedgerow.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the event log is append-only'; END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hedgerow.events
    FOR EACH STATEMENT EXECUTE FUNCTION hedgerow.refuse_change();

CREATE VIEW hedgerow.events_json AS
    SELECT account, seq, kind, convert_from(payload, 'UTF8')::jsonb AS event FROM hedgerow.events;

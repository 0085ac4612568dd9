-- Requests of operators to the bots, with their answers; and what running bots publish for screens.
CREATE TABLE hedgerow.requests (
    account text NOT NULL REFERENCES hedgerow.bots,
    request_id text NOT NULL,
    request bytea NOT NULL,
    valid interval NOT NULL,
    posted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    posted_by text NOT NULL DEFAULT session_user,
    position bigint GENERATED ALWAYS AS IDENTITY,
    begun_at timestamptz,
    withdrawn_at timestamptz,
    answered_at timestamptz,
    collected_at timestamptz,
    answer bytea,
    PRIMARY KEY (account, request_id)
);
COMMENT ON COLUMN hedgerow.requests.valid IS 'how long after posted_at, by the clock of the database, it may be begun';
CREATE INDEX requests_open ON hedgerow.requests (account) WHERE answered_at IS NULL AND withdrawn_at IS NULL;

CREATE FUNCTION hedgerow.notify_request() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('hedgerow_request', NEW.account); RETURN NULL; END $$;
CREATE TRIGGER notify_request AFTER INSERT ON hedgerow.requests
    FOR EACH ROW EXECUTE FUNCTION hedgerow.notify_request();

CREATE TABLE hedgerow.published (
    account text NOT NULL REFERENCES hedgerow.bots,
    kind text NOT NULL,
    payload bytea NOT NULL,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account, kind)
) WITH (fillfactor = 50);
COMMENT ON TABLE hedgerow.published IS 'what a running bot shows: heartbeat, outlook; may be deleted without harm';

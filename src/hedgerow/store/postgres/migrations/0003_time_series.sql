-- What screens show of the past of each bot; all of it may be deleted without harm.
CREATE TABLE hedgerow.series_points (
    account text NOT NULL REFERENCES hedgerow.bots,
    at timestamptz NOT NULL,
    held boolean NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (account, at)
);
CREATE TABLE hedgerow.series_decisions (
    account text NOT NULL REFERENCES hedgerow.bots,
    number bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    symbol text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (account, number)
);
CREATE INDEX series_decisions_of ON hedgerow.series_decisions (account, symbol, number);
CREATE TABLE hedgerow.series_payments (
    account text NOT NULL REFERENCES hedgerow.bots,
    tran_id bigint NOT NULL,
    at timestamptz NOT NULL,
    symbol text NOT NULL,
    amount numeric NOT NULL,
    PRIMARY KEY (account, tran_id)
);
CREATE TABLE hedgerow.series_rates (
    account text NOT NULL REFERENCES hedgerow.bots,
    at timestamptz NOT NULL,
    symbol text NOT NULL,
    rate double precision NOT NULL,
    hours integer NOT NULL,
    PRIMARY KEY (account, at, symbol)
);
CREATE TABLE hedgerow.series_costs (
    account text NOT NULL REFERENCES hedgerow.bots,
    symbol text NOT NULL,
    fraction numeric NOT NULL,
    PRIMARY KEY (account, symbol)
);

# The bot in a container: a plain user, one volume, every dependency checked against its hash.
#   docker build -t hedgerow . && docker run --init -v hedgerow-data:/data --env-file .env hedgerow
# Without credentials it says how to get them; without any key: docker run ... hedgerow run --paper --home /data
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements/image.txt requirements/build.txt requirements/
RUN python -m venv /opt/hedgerow \
 && /opt/hedgerow/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/image.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY src/ src/
RUN /opt/build/bin/pip wheel --disable-pip-version-check --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/hedgerow/bin/pip install --disable-pip-version-check --no-index --no-deps /wheels/*.whl

FROM python:3.11-slim
LABEL org.opencontainers.image.title="hedgerow" \
      org.opencontainers.image.description="Delta-neutral funding-rate farming" \
      org.opencontainers.image.licenses="MIT"
# A fixed uid, so that a volume keeps its owner from one image to the next.
RUN groupadd --gid 10001 hedgerow \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin hedgerow \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/hedgerow /opt/hedgerow
ENV PATH=/opt/hedgerow/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    HOME=/data
USER 10001:10001
WORKDIR /data
# Configuration, state, event log and text log of one bot.
VOLUME /data
# The first SIGTERM lets a trade in flight end hedged or flat; give it time (docker stop --time 90).
STOPSIGNAL SIGTERM
ENTRYPOINT ["hedgerow"]
CMD ["run", "--home", "/data"]

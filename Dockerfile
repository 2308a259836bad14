# docker build -t paperwire . && docker run -p 8765:8765 -v paperwire:/data paperwire
# (compose.yaml runs the same image on PostgreSQL, a service a role.)
# The server binds outward here, so it asks for a password: yours from PAPERWIRE_WEB__PASSWORD, or one that the
# first start makes, keeps in the volume and shows once in the log.
FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.lock ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY bot ./bot
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home paperwire
COPY --from=build /venv /venv
COPY docker-entrypoint.sh /usr/local/bin/
USER paperwire
WORKDIR /data
VOLUME /data
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PAPERWIRE_WEB__HOST=0.0.0.0 \
    PAPERWIRE_DATABASE__URL=sqlite:////data/paperwire.db \
    PAPERWIRE_TRANSLATION__FOLDER=/data/models
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["paperwire", "run"]

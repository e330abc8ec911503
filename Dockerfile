ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv \
 && /venv/bin/pip install --require-hashes --requirement requirements.lock
# The build backend stays out of the image that runs.
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --requirement requirements-build.lock
COPY pyproject.toml LICENSE ./
COPY service/__init__.py service/
# Editable, so that the service finds alembic/ beside itself in /app.
RUN /build/bin/python -c "from hatchling.build import build_editable; build_editable('/wheel')" \
 && /venv/bin/pip install --no-deps /wheel/*.whl

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin roster \
 && install --directory --owner=roster /data
COPY --from=build /venv /venv
WORKDIR /app
COPY alembic.ini ./
COPY alembic ./alembic
COPY service ./service
RUN /venv/bin/python -m compileall -q service alembic
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 ROSTER_DATABASE_URL=sqlite:////data/roster.db
USER roster
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
ENTRYPOINT ["roster"]
CMD ["serve"]

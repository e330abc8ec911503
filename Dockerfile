# docker build -t roster .
# docker run -p 127.0.0.1:8000:8000 -v roster-data:/data -e ROSTER_BOOTSTRAP_TOKEN=$(openssl rand -hex 32) roster
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /venv \
 && /venv/bin/pip install --require-hashes --requirement requirements.lock
# The build backend stays out of the image that runs.
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --requirement requirements-build.lock
COPY pyproject.toml hatch_build.py LICENSE alembic.ini ./
COPY alembic ./alembic
COPY service ./service
RUN /build/bin/python -c "from hatchling.build import build_wheel; build_wheel('/wheel')" \
 && /venv/bin/pip install --no-deps /wheel/*.whl

FROM python:${PYTHON}-slim-trixie
# A new named volume takes over the owner of the folder that it is mounted on.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin roster \
 && install --directory --owner=roster --mode=700 /data
COPY --from=build /venv /venv
WORKDIR /data
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ROSTER_DATABASE_URL=sqlite:////data/roster.db
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
STOPSIGNAL SIGTERM
# It serves on every address of the container once an administrator exists or ROSTER_BOOTSTRAP_TOKEN is set.
ENTRYPOINT ["roster"]
CMD ["serve", "--host=0.0.0.0", "--upgrade"]

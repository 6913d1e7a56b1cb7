# The gatekeeper's commands. Kafka is another image's business, so no jar and no Java is in here.
# A registry of your own:  --build-arg PYTHON_IMAGE=registry.example/python:3.11.14-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
FROM ${PYTHON_IMAGE}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Apart from the code, so that a change of ours does not install all of this again.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN pip install --require-hashes -r requirements/build.txt -r requirements/runtime.txt

COPY pyproject.toml setup.py README.md LICENSE ./
COPY schemas schemas
COPY gatekeeper gatekeeper
COPY streams streams
COPY docs/manual docs/manual
COPY docs/how-to docs/how-to
COPY docs/images docs/images
RUN pip install --no-deps --no-build-isolation . \
    && useradd --create-home --uid 10001 --shell /usr/sbin/nologin gatekeeper

USER 10001:10001
WORKDIR /home/gatekeeper
# A new volume takes owner and mode of the folder that it is mounted on. All else may be read-only, /tmp aside.
RUN mkdir -m 700 keys data log witness users endpoints webhooks \
    new new/worker new/sealer new/witness new/readers new/serve new/users
ENTRYPOINT ["gatekeeper"]
